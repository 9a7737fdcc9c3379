import { type Axis, type Experiment, GATE_AXIS, LOSS_AXIS, MODES, grid, models, withPublished } from './experiment.js';
import { X1, X3 } from './published.js';

const PLACES: Axis = [
  ['conv4-1st', { moe: { at: 'layer3.0' } }],
  ['conv4-2nd', { moe: { at: 'layer3.1' } }],
  ['conv4-both', { moe: { at: 'layer3' } }],
  ['conv5-1st', { moe: { at: 'layer4.0' } }],
  ['conv5-2nd', { moe: { at: 'layer4.1' } }],
  ['conv5-both', { moe: { at: 'layer4' } }],
];

/** Both blocks of conv5_x with k = 1 are rows of the main grid. */
const both = ['entropy', 'switch'].flatMap((loss) => ['gap-fc', 'conv-gap'].map((gate) => [`conv5-both-${loss}-${gate}`, X1.get(`block-${loss}-${gate}-k1`) ?? {}] as const));

export const x3: Experiment = {
  about: 'placement of BlockMoE: conv4_x and conv5_x, first, second, both blocks',
  rows: withPublished([...grid(MODES, models('dense')), ...grid(MODES, PLACES, LOSS_AXIS('block'), GATE_AXIS)], new Map([...X3, ...both, ['dense', X1.get('dense') ?? {}]])),
};
