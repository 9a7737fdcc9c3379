import type { Config, DeepPartial } from '../schema.js';

/** What a scale changes of an experiment: sizes, not what is studied. Laid over each row. */
export const SCALES = {
  /** As published, where the machine allows it. */
  paper: {},
  /** The paper's protocol with the accidents of its code: learning rate of the first epoch, batch norm in the training attack, last point of PGD, fast and free training. */
  released: { training: { variant: 'released', legacySchedule: true, goal: 'lastStep', batchNorm: 'batch-updating' } },
  /** CIFAR-10, a quarter of the width, 10,000 images, 8 epochs of PGD-3: about 15 minutes of one core to train, and 10 to attack. */
  'cifar-small': {
    data: { format: 'images', trainImages: 10_000, testImages: 500, colorJitter: 0 },
    network: { width: 16, normalize: 'cifar10' },
    training: { epochs: 8, batchSize: 128, schedule: 'cosine', warmupEpochs: 0, steps: 3, stepSize: 4 / 255 },
    evaluation: { batchSize: 100, audit: { images: 100, routingImages: 32, autoAttack: 'quick' }, legacy: { images: 200, batchSizes: [100, 1] }, probe: 2000 },
    workers: 1,
  },
  /** Seconds for each row on the embedded Fashion-MNIST: to try a command out. Its numbers say nothing. */
  toy: {
    data: { format: 'embedded', trainImages: 64, testImages: 8, colorJitter: 0 },
    network: { width: 4, normalize: 'none' },
    training: { epochs: 1, batchSize: 32, schedule: 'cosine', warmupEpochs: 0, steps: 1, stepSize: null },
    evaluation: { pgdSteps: 2, apgdSteps: 8, batchSize: 8, audit: null, legacy: null, probe: null },
    workers: 1,
  },
} as const satisfies Record<string, DeepPartial<Config>>;

export type ScaleName = keyof typeof SCALES;
