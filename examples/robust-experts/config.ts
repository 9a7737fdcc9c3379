import { isDense } from './jobs.js';
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
  return crossCheckTraining(config);
}

/** What each method cannot have. */
function crossCheckTraining({ models, training: { method, variant, terms, awp, labelSmoothing, eps } }: Config): Problem | undefined {
  const at = (key: keyof Config['training'], message: string): Problem => ({ path: ['training', key], message });
  const forMixtures = ['rt-er', 'adv-moe', 'v-moe'].includes(method);
  const dense = models.find(isDense);
  if (eps === 0 && method !== 'pgd') return at('method', `must be pgd at eps 0, which trains on clean images, got ${method}`);
  if (dense !== undefined && forMixtures) return at('method', `must not be ${method} for the model ${dense}, which has no experts`);
  if (dense !== undefined && terms.length > 0) return at('terms', `must be none for the model ${dense}, which has no experts, got ${terms.join(', ')}`);
  if (new Set(terms).size < terms.length) return at('terms', `must name each term once, got ${terms.join(', ')}`);
  if (method === 'rt-er' && terms.includes('expert-consistency')) return at('terms', 'must not name expert-consistency with method rt-er, which has it');
  if (method === 'v-moe' && variant === 'paper') return at('variant', 'must be fixed or released with method v-moe, whose own settings were not published, got paper');
  if (awp !== null && ['free', 'adv-moe'].includes(method)) return at('awp', `must be none with method ${method}, which takes several steps a batch, got ${awp}`);
  if (labelSmoothing > 0 && (method === 'mart' || forMixtures)) return at('labelSmoothing', `must be 0 with method ${method}, got ${labelSmoothing}`);
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
