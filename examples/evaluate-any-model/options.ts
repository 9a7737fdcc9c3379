import { basename, dirname, join } from 'node:path';
import { availableParallelism } from 'node:os';
import { PRESETS, type Preset } from './attacks.js';
import { fail, fromHere, readFlags } from './flags.js';
import { INPUT_FLAGS, INPUT_HELP, type InputSettings, inputSettings } from './input-settings.js';

/** What decides the numbers; kept in `config.json` of the output folder. */
export interface Settings extends InputSettings {
  readonly model: string;
  readonly images: string;
  readonly twin: string | undefined;
  readonly eps: number;
  readonly norm: 'Linf' | 'L2' | 'L1';
  readonly attack: Preset;
}

export interface Options {
  readonly settings: Settings;
  readonly name: string;
  readonly out: string;
  readonly engine: 'auto' | 'tensorflow' | 'wasm' | 'cpu';
  readonly threads: number;
}

export const HELP = `Attacks a saved TensorFlow.js classifier on a folder of images and prints a report card.

Usage: pnpm --filter @moe/example-evaluate-any-model start --model DIR/model.json --images DIR --eps 8/255 [options]

  --model FILE      model.json of a LayersModel or GraphModel; a final softmax is left out by itself
  --images DIR      one folder of PNG or JPEG files per class; the folders in order are the outputs of the model
  --eps X           radius, of images in [0, 1]; 8/255 or 0.03
  --norm NAME       Linf, L2 or L1 (default Linf)
  --attack NAME     ${Object.keys(PRESETS).join(', ')} (default quick)
${INPUT_HELP}
  --twin FILE       model.json of a model of the same task without defence, for attacks by transfer
  --out DIR         everything goes here; the same command continues (default runs/NAME-of-model)
  --engine NAME     auto, tensorflow, wasm or cpu (default auto)
  --threads N       of the engines wasm and cpu (default: one a core)
  --help, --version`;

const FLAGS = [...INPUT_FLAGS, 'model', 'images', 'eps', 'norm', 'attack', 'twin', 'out', 'engine', 'threads'] as const;

/** @throws {@link UsageError} for an unknown option, a missing one, or a value that makes no sense. */
export function parseOptions(args: readonly string[]): Options | 'help' | 'version' {
  const flags = readFlags(args, FLAGS);
  if (typeof flags === 'string') return flags;
  const model = fromHere(flags.needed('model'));
  const name = basename(dirname(model));
  return {
    name,
    out: flags.path('out') ?? fromHere(join('runs', name)),
    engine: flags.oneOf('engine', ['auto', 'tensorflow', 'wasm', 'cpu'], 'auto'),
    threads: flags.whole('threads', availableParallelism()),
    settings: {
      ...inputSettings(flags),
      model,
      images: fromHere(flags.needed('images')),
      twin: flags.path('twin'),
      eps: parseEps(flags.needed('eps')),
      norm: flags.oneOf('norm', ['Linf', 'L2', 'L1'], 'Linf'),
      attack: flags.oneOf('attack', Object.keys(PRESETS) as Preset[], 'quick'),
    },
  };
}

function parseEps(text: string): number {
  const [top = Number.NaN, bottom = 1, ...rest] = text.split('/').map(Number);
  const eps = top / bottom;
  return rest.length === 0 && Number.isFinite(eps) && eps > 0 ? eps : fail('eps', 'must be a positive number or fraction', text);
}
