import { merge } from './merge.js';
import { PRESETS } from './presets/single.js';
import { type Config, type DeepPartial, configSchema } from './schema.js';

/** Reads `0.03` and `8/255`; NaN for anything else. */
export function parseNumber(text: string): number {
  const [, numerator, denominator = '1'] = /^\s*(-?[\d.]+(?:e[+-]?\d+)?)\s*(?:\/\s*([\d.]+))?\s*$/i.exec(text) ?? [];
  return numerator === undefined ? NaN : Number(numerator) / Number(denominator);
}

const FOLDERS = { images: 'a folder with train/CLASS/*.jpg and test/CLASS/*.jpg', cifar10: 'the folder cifar-10-batches-bin', cifar100: 'the folder cifar-100-binary' };

/** The first thing wrong with a configuration. */
export interface Problem {
  /** Place in the configuration, e.g. `['network', 'depth']`. */
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function crossCheck(config: Config, preset: keyof typeof PRESETS): Problem | undefined {
  const { moe, models, data } = config;
  if (moe.topK > moe.numExperts) return { path: ['moe', 'topK'], message: `must be at most the number of experts, ${moe.numExperts}, got ${moe.topK}` };
  if (new Set(models).size < models.length) return { path: ['models'], message: `must name each model once, got ${models.join(', ')}` };
  if (preset === 'cifar10' && data.folder === null) return { path: ['data', 'folder'], message: 'must be given with the preset cifar10: a folder with train/CLASS/*.jpg and test/CLASS/*.jpg' };
  if (preset === 'paper' && data.folder === null && data.format !== 'embedded') return { path: ['data', 'folder'], message: `must be given: ${FOLDERS[data.format]}` };
  return undefined;
}

/** Lays overrides over a preset and checks the whole. */
export function parseConfig(preset: keyof typeof PRESETS, ...overrides: readonly DeepPartial<Config>[]): { config: Config } | { problem: Problem } {
  const merged = overrides.reduce<unknown>((config, over) => merge(config, over), PRESETS[preset]);
  const parsed = configSchema.safeParse(merged);
  if (!parsed.success) {
    const { path, message, code } = parsed.error.issues[0]!;
    const value = path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)?.[key], merged);
    const got = code === 'unrecognized_keys' ? '' : `, got ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`;
    return { problem: { path, message: `${message.replace(/^./, (first) => first.toLowerCase())}${got}` } };
  }
  const problem = crossCheck(parsed.data, preset);
  return problem ? { problem } : { config: parsed.data };
}
