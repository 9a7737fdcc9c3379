import { z } from 'zod';

/** Models that the experiment knows: the dense baseline, and where × which balance loss. */
export const MODEL_NAMES = ['dense', 'block-switch', 'block-entropy', 'block-column-entropy', 'conv-switch', 'conv-entropy', 'conv-column-entropy'] as const;
export type ModelName = (typeof MODEL_NAMES)[number];

const positive = z.number().int().min(1);
const share = z.number().min(0).max(1);

const schema = z.strictObject({
  data: z.strictObject({
    /** Image folder with `train/` and `test/`; the embedded Fashion-MNIST subset when null. */
    folder: z.string().nullable(),
    trainImages: positive,
    testImages: positive,
    /** Random crop with this padding and horizontal flip; null for none. */
    augmentPadding: z.number().int().min(0).nullable(),
  }),
  models: z.array(z.enum(MODEL_NAMES)).min(1),
  network: z.strictObject({
    depth: z.literal([10, 18, 34]),
    width: positive,
    stem: z.enum(['cifar', 'imagenet']),
  }),
  moe: z.strictObject({
    at: z.string().min(1),
    numExperts: z.number().int().min(2),
    topK: positive,
    gate: z.enum(['gap-fc', 'conv-gap']),
    balanceWeight: z.number().min(0),
    noiseStd: z.number().min(0),
  }),
  training: z.strictObject({
    epochs: positive,
    batchSize: z.number().int().min(2),
    learningRate: z.number().positive(),
    weightDecay: z.number().min(0),
    eps: share,
    steps: positive,
    batchNorm: z.enum(['running', 'batch', 'batch-updating']),
  }),
  evaluation: z.strictObject({ eps: share, pgdSteps: positive, apgdSteps: positive, batchSize: positive }),
  seed: z.number().int().min(0),
  backend: z.enum(['auto', 'tensorflow', 'wasm', 'cpu']),
  workers: positive.max(64),
});

/** Everything that decides a result (and `workers`, which does not). */
export type Config = z.infer<typeof schema>;

export type DeepPartial<T> = { [K in keyof T]?: T[K] extends readonly unknown[] ? T[K] : T[K] extends object ? DeepPartial<T[K]> : T[K] };

/** Fixed configurations; results depend on them, so change none without running it again. */
export const PRESETS = {
  /** Minutes on two cores: the paper's ResNet-18 at an eighth of its width and few epochs, on small grey images with the eps that is customary for them. */
  quick: {
    data: { folder: null, trainImages: 6000, testImages: 300, augmentPadding: null },
    models: ['dense', 'block-switch', 'block-entropy'],
    network: { depth: 18, width: 8, stem: 'cifar' },
    moe: { at: 'layer4', numExperts: 4, topK: 1, gate: 'gap-fc', balanceWeight: 0.5, noiseStd: 0.1 },
    training: { epochs: 3, batchSize: 64, learningRate: 0.05, weightDecay: 5e-4, eps: 0.1, steps: 3, batchNorm: 'running' },
    evaluation: { eps: 0.1, pgdSteps: 20, apgdSteps: 20, batchSize: 50 },
    seed: 1,
    backend: 'auto',
    workers: 2,
  },
  /** The paper's protocol for CIFAR (Robust Experts, Sec. 4), to be scaled down by options. */
  cifar10: {
    data: { folder: null, trainImages: 40_000, testImages: 10_000, augmentPadding: 4 },
    models: ['dense', 'block-switch', 'block-entropy'],
    network: { depth: 18, width: 64, stem: 'cifar' },
    moe: { at: 'layer4', numExperts: 4, topK: 1, gate: 'gap-fc', balanceWeight: 0.5, noiseStd: 0.1 },
    training: { epochs: 200, batchSize: 640, learningRate: 0.1, weightDecay: 5e-4, eps: 8 / 255, steps: 7, batchNorm: 'running' },
    evaluation: { eps: 8 / 255, pgdSteps: 20, apgdSteps: 20, batchSize: 250 },
    seed: 1,
    backend: 'auto',
    workers: 2,
  },
} as const satisfies Record<string, DeepPartial<Config>>;

/** Reads `0.03` and `8/255`; NaN for anything else. */
export function parseNumber(text: string): number {
  const [, numerator, denominator = '1'] = /^\s*(-?[\d.]+(?:e[+-]?\d+)?)\s*(?:\/\s*([\d.]+))?\s*$/i.exec(text) ?? [];
  return numerator === undefined ? NaN : Number(numerator) / Number(denominator);
}

function merge<T>(base: T, over: DeepPartial<T>): T {
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject(base) || !isObject(over)) return over as T;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) merged[key] = key in merged ? merge(merged[key], value as DeepPartial<unknown>) : value;
  return merged as T;
}

/** The first thing wrong with a configuration. */
export interface Problem {
  /** Place in the configuration, e.g. `['network', 'depth']`. */
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function crossCheck(config: Config, preset: string): Problem | undefined {
  const { moe, models, data } = config;
  if (moe.topK > moe.numExperts) return { path: ['moe', 'topK'], message: `must be at most the number of experts, ${moe.numExperts}, got ${moe.topK}` };
  if (new Set(models).size < models.length) return { path: ['models'], message: `must name each model once, got ${models.join(', ')}` };
  if (preset === 'cifar10' && data.folder === null) return { path: ['data', 'folder'], message: 'must be given with the preset cifar10: a folder with train/CLASS/*.jpg and test/CLASS/*.jpg' };
  return undefined;
}

/** Lays overrides over a preset and checks the whole. */
export function parseConfig(preset: keyof typeof PRESETS, ...overrides: readonly DeepPartial<Config>[]): { config: Config } | { problem: Problem } {
  const merged = overrides.reduce<unknown>((config, over) => merge(config, over), PRESETS[preset]);
  const parsed = schema.safeParse(merged);
  if (!parsed.success) {
    const { path, message, code } = parsed.error.issues[0]!;
    const value = path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)?.[key], merged);
    const got = code === 'unrecognized_keys' ? '' : `, got ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`;
    return { problem: { path, message: `${message.replace(/^./, (first) => first.toLowerCase())}${got}` } };
  }
  const problem = crossCheck(parsed.data, preset);
  return problem ? { problem } : { config: parsed.data };
}
