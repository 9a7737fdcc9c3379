import { type Experiment, GATE_AXIS, MODES, grid, models } from './experiment.js';

export const x7: Experiment = {
  about: 'collapse of routing by balance loss: shares of the experts over the epochs and on test images',
  rows: grid(MODES, models('block-switch', 'block-entropy', 'block-column-entropy', 'block-variance', 'block-none'), GATE_AXIS),
};
