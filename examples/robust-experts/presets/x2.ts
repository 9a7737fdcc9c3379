import type { Config, DeepPartial } from '../schema.js';
import { merge } from '../merge.js';
import { type Axis, type Experiment, GATE_AXIS, TOP_K, grid, models, withPublished } from './experiment.js';
import { X2 } from './published.js';

const RESNET50: DeepPartial<Config> = { network: { depth: 50 }, training: { schedule: 'cosine', warmupEpochs: 5 } };

/** The paper weights the balance loss otherwise in standard training of this network, so its two halves are not comparable. */
const MODES: Axis = [
  ['n', merge(RESNET50, { training: { eps: 0 }, moe: { balanceWeight: 0.01 } })],
  ['at', RESNET50],
];

export const x2: Experiment = {
  about: 'main grid: ResNet-50, MoE layers in all of conv5_x, kind × loss × gate × k',
  rows: withPublished(
    [...grid(MODES, models('dense')), ...grid(MODES, models('block-entropy', 'block-switch', 'conv-entropy', 'conv-switch'), GATE_AXIS, TOP_K)],
    X2,
  ),
};
