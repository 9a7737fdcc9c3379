import { type Experiment, GATE_AXIS, LOSS_AXIS, grid, models } from './experiment.js';
import { EXPERTS } from './x5.js';

export const x6: Experiment = {
  about: 'robust experts: every expert of layer4.1 fixed in turn, after adversarial training; the audit fixes those of layer4.0 too',
  rows: [...grid(models('dense')), ...grid(LOSS_AXIS('block'), GATE_AXIS, EXPERTS)].map((row) => ({ ...row, config: { ...row.config, evaluation: { bothStarts: true, fixedLayer: row.name === 'dense' ? null : 'layer4.1' } } })),
};
