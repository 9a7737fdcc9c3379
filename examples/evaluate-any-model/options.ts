import { basename, dirname, join, resolve } from 'node:path';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { PRESETS, type Preset } from './attacks.js';

/** What decides the numbers; kept in `config.json` of the output folder. */
export interface Settings {
  readonly model: string;
  readonly images: string;
  /** File with the name of each output, or undefined where the folders of images are the outputs, in order. */
  readonly classes: string | undefined;
  readonly twin: string | undefined;
  readonly eps: number;
  readonly norm: 'Linf' | 'L2' | 'L1';
  readonly attack: Preset;
  readonly limit: number;
  readonly seed: number;
  /** What the model takes black and white for. */
  readonly range: readonly [number, number];
  /** Subtracted and divided by after that, one for all channels or one each. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly size: readonly [number, number] | undefined;
}

export interface Options {
  readonly settings: Settings;
  readonly name: string;
  readonly out: string;
  readonly engine: 'auto' | 'tensorflow' | 'wasm' | 'cpu';
  readonly threads: number;
}

/** Wrong use of the command line; exit code 2. */
export class UsageError extends Error {}

/** Paths are those of the folder in which the command was given; pnpm itself goes to that of the package. */
export const fromHere = (path: string): string => resolve(process.env['INIT_CWD'] ?? '.', path);

export const HELP = `Attacks a saved TensorFlow.js classifier on a folder of images and prints a report card.

Usage: pnpm --filter @moe/example-evaluate-any-model start --model DIR/model.json --images DIR --eps 8/255 [options]

  --model FILE      model.json of a LayersModel or GraphModel; a final softmax is left out by itself
  --images DIR      one folder of PNG or JPEG files per class; the folders in order are the outputs of the model
  --classes FILE    names of all outputs, one a line, where there are more than folders or in another order
  --eps X           radius, of images in [0, 1]; 8/255 or 0.03
  --norm NAME       Linf, L2 or L1 (default Linf)
  --attack NAME     ${Object.keys(PRESETS).join(', ')} (default quick)
  --limit N         images, drawn by the seed (default 200)
  --range=LOW,HIGH  what the model takes black and white for, such as -1,1 (default 0,1)
  --mean, --std     subtracted and divided by after that, one number or one a channel (default 0 and 1)
  --size H,W        of images, where the model does not say
  --twin FILE       model.json of a model of the same task without defence, for attacks by transfer
  --seed N          (default 1)
  --out DIR         everything goes here; the same command continues (default runs/NAME-of-model)
  --engine NAME     auto, tensorflow, wasm or cpu (default auto)
  --threads N       of the engines wasm and cpu (default: one a core)
  --help, --version`;

const FLAGS = ['model', 'images', 'classes', 'eps', 'norm', 'attack', 'limit', 'range', 'mean', 'std', 'size', 'twin', 'seed', 'out', 'engine', 'threads'] as const;
type Flag = (typeof FLAGS)[number];

/** @throws {@link UsageError} for an unknown option, a missing one, or a value that makes no sense. */
export function parseOptions(args: readonly string[]): Options | 'help' | 'version' {
  let values: Readonly<Record<string, string | boolean | undefined>>;
  try {
    const known = Object.fromEntries(FLAGS.map((name) => [name, { type: 'string' as const }]));
    // pnpm passes the separator of `start -- --flag` on.
    ({ values } = parseArgs({ args: args.filter((arg) => arg !== '--'), options: { ...known, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } } }));
  } catch (error) {
    throw new UsageError(`${(error as Error).message} --help lists the options.`);
  }
  if (values['help'] === true) return 'help';
  if (values['version'] === true) return 'version';
  const text = (flag: Flag): string | undefined => values[flag] as string | undefined;
  const needed = (flag: Flag): string => text(flag) ?? fail(flag, 'is needed', undefined);
  const oneOf = <T extends string>(flag: Flag, allowed: readonly T[], preset: T): T => allowed.find((value) => value === (text(flag) ?? preset)) ?? fail(flag, `must be one of ${allowed.join(', ')}`, text(flag));
  const whole = (flag: Flag, preset: number): number => {
    const value = Number(text(flag) ?? preset);
    return Number.isSafeInteger(value) && value >= 1 ? value : fail(flag, 'must be a whole number from 1', text(flag));
  };
  const numbers = (flag: Flag, preset: string, counts: readonly number[]): number[] => {
    const found = (text(flag) ?? preset).split(',').map(Number);
    return found.every(Number.isFinite) && counts.includes(found.length) ? found : fail(flag, `must be ${counts.join(' or ')} numbers with commas`, text(flag));
  };
  const model = fromHere(needed('model'));
  const [low = 0, high = 1] = numbers('range', '0,1', [2]);
  const [height = 0, width = 0] = text('size') === undefined ? [] : numbers('size', '', [2]);
  const std = numbers('std', '1', [1, 3]);
  if (low >= high) fail('range', 'must rise', text('range'));
  if (std.some((value) => value <= 0)) fail('std', 'must be positive', text('std'));
  const name = basename(dirname(model));
  return {
    name,
    out: fromHere(text('out') ?? join('runs', name)),
    engine: oneOf('engine', ['auto', 'tensorflow', 'wasm', 'cpu'], 'auto'),
    threads: whole('threads', availableParallelism()),
    settings: {
      model,
      images: fromHere(needed('images')),
      classes: text('classes') === undefined ? undefined : fromHere(needed('classes')),
      twin: text('twin') === undefined ? undefined : fromHere(needed('twin')),
      eps: parseEps(needed('eps')),
      norm: oneOf('norm', ['Linf', 'L2', 'L1'], 'Linf'),
      attack: oneOf('attack', Object.keys(PRESETS) as Preset[], 'quick'),
      limit: whole('limit', 200),
      seed: whole('seed', 1),
      range: [low, high],
      mean: numbers('mean', '0', [1, 3]),
      std,
      size: text('size') === undefined ? undefined : [height, width],
    },
  };
}

function parseEps(text: string): number {
  const [top = Number.NaN, bottom = 1, ...rest] = text.split('/').map(Number);
  const eps = top / bottom;
  return rest.length === 0 && Number.isFinite(eps) && eps > 0 ? eps : fail('eps', 'must be a positive number or fraction', text);
}

function fail(flag: Flag, rule: string, value: string | undefined): never {
  throw new UsageError(`--${flag} ${rule}${value === undefined ? '' : `, got ${value}`}. --help lists the options.`);
}
