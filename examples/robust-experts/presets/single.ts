import type { Config, DeepPartial } from '../schema.js';

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
  /** What the experiments x1 to x10 share (Robust Experts, Sec. 4, with the faults of the released code repaired); `--scale released` has those. */
  paper: {
    data: { folder: null, format: 'cifar100', trainImages: 40_000, testImages: 10_000, augmentPadding: 4, colorJitter: 0.3 },
    models: ['dense'],
    network: { depth: 18, width: 64, stem: 'cifar', normalize: 'cifar100' },
    moe: { at: 'layer4', numExperts: 4, topK: 1, gate: 'gap-fc', balanceWeight: 0.5, noiseStd: 0.1 },
    training: { epochs: 200, batchSize: 640, schedule: 'poly', learningRate: 0.1, weightDecay: 5e-4, eps: 8 / 255, steps: 7, stepSize: 2 / 255, batchNorm: 'running' },
    evaluation: { eps: 8 / 255, pgdSteps: 20, apgdSteps: 20, batchSize: 250, bothStarts: true, audit: { images: 1000, routingImages: 500, autoAttack: 'standard' }, legacy: { images: 1000, batchSizes: [256, 1] }, probe: 10_000 },
    seed: 1,
    backend: 'auto',
    workers: 2,
  },
} as const satisfies Record<string, DeepPartial<Config>>;
