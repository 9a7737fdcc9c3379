import type { Config, DeepPartial } from '../schema.js';
import { merge } from '../merge.js';
import { type Axis, type Experiment, grid, models } from './experiment.js';

/** Standard training as in arXiv 2204.10598: Adam, batches of 128, steps at 80 and 120 of 150 epochs, no weight decay, all 50,000 images. */
const BASE: DeepPartial<Config> = {
  data: { trainImages: 50_000, colorJitter: 0.3 },
  moe: { router: 'noisy-top-k', topK: 2, noiseStd: 0 },
  training: { eps: 0, epochs: 150, batchSize: 128, optimizer: 'adam', schedule: 'step', learningRate: 1e-3, weightDecay: 0 },
};

const STAGES: Axis = [1, 2, 3, 4].map((stage) => [`stage${stage}`, { moe: { at: `layer${stage}` } }]);
const EXPERTS: Axis = [4, 10].map((numExperts) => [`e${numExperts}`, { moe: { numExperts } }]);
const SOFT: Axis = [
  ['importance', { models: ['stage-importance'] }],
  ['kl', { models: ['stage-kl'] }],
];
/** Hard constraints go without balance loss and noise. */
const HARD: Axis = [
  ['relative', { models: ['stage-none'], moe: { router: 'top-k', constraint: 'relative-importance' } }],
  ['mean', { models: ['stage-none'], moe: { router: 'top-k', constraint: 'mean-importance' } }],
];
const RESIDUAL: Axis = [
  ['default', {}],
  ['residual', { moe: { residual: true } }],
];
/** Only the second convolution of the second block of a stage. */
const SINGLE: Axis = [1, 2, 3, 4].map((stage) => [`single${stage}`, { moe: { at: `layer${stage}.1.conv2` } }]);

const rows = [
  ...grid(models('dense')),
  ...grid(RESIDUAL, SOFT, EXPERTS, STAGES),
  ...grid([['residual', { moe: { residual: true } }]], HARD, EXPERTS, STAGES),
  ...grid([['conv-gate', { moe: { gate: 'conv-fc', at: 'layer4' } }]], SOFT),
  ...grid([['image-gate', { moe: { gateFrom: 'features', at: 'layer4' } }]], SOFT),
  ...grid([['k4', { moe: { topK: 4, at: 'layer4' } }]], SOFT),
  ...grid(SINGLE, models('conv-importance', 'conv-kl')),
];

export const x10: Experiment = { about: 'the predecessor (arXiv 2204.10598): stages of narrow experts, soft and hard constraints', rows: rows.map((row) => ({ ...row, config: merge(BASE, row.config) })) };
