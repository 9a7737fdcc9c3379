import { z } from 'zod';

/** Where experts are, and the balance losses of *Robust Experts* and its predecessor. */
const KINDS = ['block', 'conv', 'stage'] as const;
const LOSSES = ['switch', 'entropy', 'column-entropy', 'variance', 'importance', 'kl', 'none'] as const;
export type Kind = (typeof KINDS)[number];
export type Loss = (typeof LOSSES)[number];

/** Models that the experiment knows: the dense baseline, and what becomes an expert × which balance loss. */
export type ModelName = 'dense' | `${Kind}-${Loss}`;
const MODEL_NAMES: readonly ModelName[] = ['dense', ...KINDS.flatMap((kind) => LOSSES.map((loss): ModelName => `${kind}-${loss}`))];

export const GATES = ['gap-fc', 'conv-gap', 'conv-gap-1', 'double-conv-gap', 'fixed-random', 'first-channels', 'equal', 'conv-fc'] as const;
/** Ways of adversarial training: any network, then for MoE models alone. */
export const METHODS = ['pgd', 'trades', 'mart', 'fast', 'free', 'rt-er', 'adv-moe', 'v-moe'] as const;
export const VARIANTS = ['fixed', 'paper', 'released'] as const;
export const TERMS = ['expert-consistency', 'router-kl', 'router-margin', 'prc'] as const;
export type Term = (typeof TERMS)[number];
export const SCHEDULES = ['constant', 'cosine', 'poly', 'step'] as const;

const positive = z.number().int().min(1);
const share = z.number().min(0).max(1);

export const configSchema = z.strictObject({
  data: z.strictObject({
    /** Folder of the data; with the presets of one run, the embedded Fashion-MNIST subset when null. */
    folder: z.string().nullable(),
    /** What the folder holds: `train/CLASS/*.jpg` and `test/CLASS/*.jpg`, the binary versions of CIFAR; `embedded` is Fashion-MNIST, for trying things out. */
    format: z.enum(['images', 'cifar10', 'cifar100', 'embedded']).default('images'),
    trainImages: positive,
    testImages: positive,
    /** Random crop with this padding and horizontal flip; null for none. */
    augmentPadding: z.number().int().min(0).nullable(),
    /** Strength of the change of brightness, contrast, saturation and hue. */
    colorJitter: z.number().min(0).max(0.5).default(0),
  }),
  models: z.array(z.enum(MODEL_NAMES)).min(1),
  network: z.strictObject({
    depth: z.literal([10, 18, 34, 50]),
    width: positive,
    /** 2 with depth 50 is Wide-ResNet-50-2. */
    widen: z.literal([1, 2]).default(1),
    stem: z.enum(['cifar', 'imagenet']),
    normalize: z.enum(['none', 'cifar10', 'cifar100', 'imagenet', 'mnist']).default('none'),
  }),
  moe: z.strictObject({
    /** Places, separated by commas. */
    at: z.string().min(1),
    numExperts: z.number().int().min(2),
    topK: positive,
    router: z.enum(['top-k', 'noisy-top-k']).default('top-k'),
    gate: z.enum(GATES),
    gateFrom: z.enum(['input', 'image', 'features']).default('input'),
    balanceWeight: z.number().min(0),
    noiseStd: z.number().min(0),
    constraint: z.enum(['none', 'capacity', 'relative-importance', 'mean-importance']).default('none'),
    /** Capacity factor, or excess of importance at which an expert is closed; null for the default of the constraint. */
    threshold: z.number().positive().nullable().default(null),
    /** Of `conv`: whether the 1x1 convolution of a skip counts too. */
    downsample: z.boolean().default(true),
    /** Of `stage`: whether a skip goes around the whole mixture. */
    residual: z.boolean().default(false),
  }),
  training: z.strictObject({
    method: z.enum(METHODS).default('pgd'),
    /** `released` has the accidents of the method's code. */
    variant: z.enum(VARIANTS).default('fixed'),
    /** Added to the loss of the method. */
    terms: z.array(z.enum(TERMS)).default([]),
    /** Length of an adversarial displacement of each weight, as a share of its norm; null for none. */
    awp: z.number().min(0).nullable().default(null),
    /** Decay of a moving average of the weights, which is then the model; null for none. */
    ema: z.number().min(0).lt(1).nullable().default(null),
    labelSmoothing: share.default(0),
    epochs: positive,
    batchSize: z.number().int().min(2),
    optimizer: z.enum(['sgd', 'adam']).default('sgd'),
    schedule: z.enum(SCHEDULES).default('cosine'),
    /** The curve of the released code, with its accidents. */
    legacySchedule: z.boolean().default(false),
    warmupEpochs: z.number().int().min(0).default(0),
    learningRate: z.number().positive(),
    weightDecay: z.number().min(0),
    eps: share,
    steps: positive,
    /** Of the training attack; null for 2.5 eps over the steps. */
    stepSize: share.nullable().default(null),
    /** Which point PGD returns: that of largest loss, or the last one, as released. */
    goal: z.enum(['maxLoss', 'lastStep']).default('maxLoss'),
    batchNorm: z.enum(['running', 'batch', 'batch-updating']),
    /** Training images on which the routing of an MoE model is attacked after every epoch; null for none. */
    telemetry: positive.nullable().default(null),
  }),
  evaluation: z.strictObject({
    eps: share,
    pgdSteps: positive,
    apgdSteps: positive,
    batchSize: positive,
    /** MoE layer whose experts are fixed in turn; null for the last one on the main path. */
    fixedLayer: z.string().nullable().default(null),
    /** Whether PGD without a random start, the fixed-expert protocol of the paper, runs as well. */
    bothStarts: z.boolean().default(false),
    /** Images for AutoAttack on the deployed model and its best expert, and for attacks on routing; null for none of these. */
    audit: z.strictObject({ images: positive, routingImages: positive.default(32), autoAttack: z.enum(['quick', 'standard']).default('quick') }).nullable().default(null),
    /** Images for the paper's train-mode AutoPGD, in batches of these sizes; null for none. */
    legacy: z.strictObject({ images: positive, batchSizes: z.array(positive).min(1).default([256, 1]) }).nullable().default(null),
    /** Images for routing histograms, confusion, other k, and maps of gates; null for none. */
    probe: positive.nullable().default(null),
  }),
  seed: z.number().int().min(0),
  backend: z.enum(['auto', 'tensorflow', 'wasm', 'cpu']),
  workers: positive.max(64),
});

/** Everything that decides a result (and `workers`, which does not). */
export type Config = z.infer<typeof configSchema>;

export type DeepPartial<T> = { [K in keyof T]?: T[K] extends readonly unknown[] ? T[K] : T[K] extends object ? DeepPartial<T[K]> : T[K] };
