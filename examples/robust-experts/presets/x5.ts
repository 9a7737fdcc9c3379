import { type Axis, type Experiment, GATE_AXIS, LOSS_AXIS, MODES, grid, models } from './experiment.js';

export const EXPERTS: Axis = [2, 4, 8, 16, 32].map((numExperts) => [`e${numExperts}`, { moe: { numExperts } }]);

export const x5: Experiment = {
  about: 'number of experts: BlockMoE in conv5_x, E of 2 to 32; the paper shows a plot only',
  rows: [...grid(MODES, models('dense')), ...grid(MODES, LOSS_AXIS('block'), GATE_AXIS, EXPERTS)],
};
