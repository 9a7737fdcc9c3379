import { type Experiment, GATE_AXIS, MODES, TOP_K, grid, models, withPublished } from './experiment.js';
import { X1 } from './published.js';

const LOSSES = ['entropy', 'switch', 'column-entropy'] as const;

export const x1: Experiment = {
  about: 'main grid: ResNet-18, MoE layers in all of conv5_x, kind × loss × gate × k',
  rows: withPublished(
    [
      ...grid(MODES, models('dense')),
      ...grid(MODES, models(...LOSSES.map((loss) => `block-${loss}` as const), ...LOSSES.map((loss) => `conv-${loss}` as const)), GATE_AXIS, TOP_K),
    ],
    X1,
  ),
};
