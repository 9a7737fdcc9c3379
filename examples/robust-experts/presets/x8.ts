import { type Axis, type Experiment, grid, models } from './experiment.js';

const METHODS: Axis = [
  ['pgd-7', {}],
  ['fast', { training: { method: 'fast' } }],
  ['free', { training: { method: 'free' } }],
  // What the released code trains under these names.
  ['fast-released', { training: { method: 'fast', variant: 'released' } }],
  ['free-released', { training: { method: 'free', variant: 'released' } }],
];

export const x8: Experiment = {
  about: 'ways of adversarial training: PGD-7, fast and free, dense and BlockMoE with Conv-GAP',
  rows: [...grid(METHODS, models('dense')), ...grid(METHODS, models('block-entropy', 'block-switch')).map((row) => ({ ...row, config: { ...row.config, moe: { gate: 'conv-gap' as const } } }))],
};
