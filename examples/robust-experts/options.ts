import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Config, type DeepPartial, MODEL_NAMES, PRESETS, type Problem, parseConfig, parseNumber } from './config.js';

/** Wrong use of the command line or a config file; exit code 2. */
export class UsageError extends Error {}

interface Flag {
  readonly flag: string;
  readonly value: string;
  /** Where it lands in the config. */
  readonly path: readonly string[];
  readonly parse: (text: string) => unknown;
  readonly help: string;
}

const text = (value: string): string => value;
const list = (value: string): string[] => value.split(',').map((part) => part.trim());
const number = (value: string): number => parseNumber(value);

const FLAGS: readonly Flag[] = [
  { flag: 'data', value: 'DIR', path: ['data', 'folder'], parse: text, help: 'folder with train/CLASS/*.jpg and test/CLASS/*.jpg' },
  { flag: 'train-images', value: 'N', path: ['data', 'trainImages'], parse: number, help: 'training images, balanced over the classes' },
  { flag: 'test-images', value: 'N', path: ['data', 'testImages'], parse: number, help: 'images attacked on every path' },
  { flag: 'models', value: 'A,B,…', path: ['models'], parse: list, help: MODEL_NAMES.join(', ') },
  { flag: 'depth', value: 'N', path: ['network', 'depth'], parse: number, help: 'layers of the ResNet: 10, 18 or 34' },
  { flag: 'width', value: 'N', path: ['network', 'width'], parse: number, help: 'channels of its first stage (64 in the paper)' },
  { flag: 'stem', value: 'NAME', path: ['network', 'stem'], parse: text, help: 'cifar (3x3, no pooling) or imagenet (7x7, pooling)' },
  { flag: 'at', value: 'PLACE', path: ['moe', 'at'], parse: text, help: 'where MoE layers go, e.g. layer4, layer4.1' },
  { flag: 'experts', value: 'E', path: ['moe', 'numExperts'], parse: number, help: 'experts per MoE layer' },
  { flag: 'top-k', value: 'K', path: ['moe', 'topK'], parse: number, help: 'experts that run per image' },
  { flag: 'gate', value: 'NAME', path: ['moe', 'gate'], parse: text, help: 'gap-fc or conv-gap' },
  { flag: 'balance-weight', value: 'X', path: ['moe', 'balanceWeight'], parse: number, help: 'weight of the balance loss' },
  { flag: 'noise-std', value: 'X', path: ['moe', 'noiseStd'], parse: number, help: 'router noise while training, in units of the spread of the gates; none with entropy, as in the paper' },
  { flag: 'epochs', value: 'N', path: ['training', 'epochs'], parse: number, help: 'training epochs' },
  { flag: 'batch-size', value: 'N', path: ['training', 'batchSize'], parse: number, help: 'images per training step' },
  { flag: 'learning-rate', value: 'X', path: ['training', 'learningRate'], parse: number, help: 'peak learning rate of SGD with Nesterov momentum 0.9' },
  { flag: 'weight-decay', value: 'X', path: ['training', 'weightDecay'], parse: number, help: 'weight decay' },
  { flag: 'train-eps', value: 'EPS', path: ['training', 'eps'], parse: number, help: 'L-inf radius of the training attack, e.g. 8/255; 0 trains on clean images' },
  { flag: 'train-steps', value: 'N', path: ['training', 'steps'], parse: number, help: 'PGD steps of the training attack' },
  { flag: 'train-batch-norm', value: 'MODE', path: ['training', 'batchNorm'], parse: text, help: 'statistics during the training attack: running, batch or batch-updating' },
  { flag: 'eps', value: 'EPS', path: ['evaluation', 'eps'], parse: number, help: 'L-inf radius of the evaluation attacks, e.g. 8/255' },
  { flag: 'pgd-steps', value: 'N', path: ['evaluation', 'pgdSteps'], parse: number, help: 'steps of PGD' },
  { flag: 'apgd-steps', value: 'N', path: ['evaluation', 'apgdSteps'], parse: number, help: 'steps of AutoPGD' },
  { flag: 'eval-batch-size', value: 'N', path: ['evaluation', 'batchSize'], parse: number, help: 'images attacked together' },
  { flag: 'seed', value: 'N', path: ['seed'], parse: number, help: 'seed of everything random' },
  { flag: 'backend', value: 'NAME', path: ['backend'], parse: text, help: 'engine: auto, tensorflow, wasm or cpu' },
  { flag: 'workers', value: 'N', path: ['workers'], parse: number, help: 'processes that work at the same time' },
];

export const HELP = `Robust experts: adversarially train a dense and Mixture-of-Experts ResNets, attack every path, compare.

Usage: pnpm start [options]

  --preset NAME            ${Object.keys(PRESETS).join(' or ')} (default quick)
  --config FILE            JSON with any part of the configuration; flags override it
  --out DIR                run folder (default runs/PRESET-HASH, the same for the same configuration)
${FLAGS.map(({ flag, value, help }) => `  ${`--${flag} ${value}`.padEnd(25)}${help}`).join('\n')}
  --help, --version

Interrupt with Ctrl-C; the same command continues where it stopped.`;

export interface Command {
  readonly config: Config;
  readonly preset: string;
  readonly out: string | undefined;
}

function setPath(target: Record<string, unknown>, [key, ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) target[key!] = value;
  else setPath((target[key!] ??= {}) as Record<string, unknown>, rest, value);
}

function readConfigFile(path: string): DeepPartial<Config> {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`--config: ${path} cannot be read: ${(error as Error).message}`);
  }
  try {
    return JSON.parse(content) as DeepPartial<Config>;
  } catch (error) {
    throw new UsageError(`--config: ${path} is not JSON: ${(error as Error).message}`);
  }
}

const isPreset = (name: string): name is keyof typeof PRESETS => Object.hasOwn(PRESETS, name);

/** Names a wrong value by its flag, where it has one. */
function describe({ path, message }: Problem): string {
  const flag = FLAGS.find((candidate) => candidate.path.every((key, i) => key === path[i]));
  const place = path.length === 0 ? 'configuration' : path.map(String).join('.');
  return `${flag ? `--${flag.flag} (${place})` : place}: ${message}. --help lists the options.`;
}

/**
 * Turns arguments into a complete configuration: preset, then config file, then flags.
 *
 * @throws {@link UsageError} for an unknown flag, preset or key, or a value that breaks its rule.
 */
export function parseCommand(args: readonly string[]): Command | 'help' | 'version' {
  const known = Object.fromEntries([...FLAGS.map(({ flag }) => flag), 'preset', 'config', 'out'].map((flag) => [flag, { type: 'string' as const }]));
  let values: Record<string, string | boolean | undefined>;
  try {
    // pnpm passes the separator of `pnpm start -- --flag` on.
    const given = args[0] === '--' ? args.slice(1) : [...args];
    ({ values } = parseArgs({ args: given, options: { ...known, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } } }));
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. To specify')[0]}. --help lists the options.`);
  }
  if (values['help'] === true) return 'help';
  if (values['version'] === true) return 'version';

  const file = values['config'] === undefined ? {} : readConfigFile(String(values['config']));
  const overrides: Record<string, unknown> = {};
  for (const { flag, path, parse } of FLAGS) {
    const value = values[flag];
    if (value !== undefined) setPath(overrides, path, parse(String(value)));
  }
  const preset = String(values['preset'] ?? 'quick');
  if (!isPreset(preset)) throw new UsageError(`--preset: must be one of ${Object.keys(PRESETS).join(', ')}, got ${preset}.`);
  const result = parseConfig(preset, file, overrides as DeepPartial<Config>);
  if ('problem' in result) throw new UsageError(describe(result.problem));
  return { config: result.config, preset, out: values['out'] === undefined ? undefined : String(values['out']) };
}
