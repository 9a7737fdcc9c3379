import { type Axis, type Experiment, GATE_AXIS, LOSS_AXIS, MODES, grid, models, withPublished } from './experiment.js';
import { X1, X4 } from './published.js';

const PLACES: Axis = [
  ['1st', { moe: { at: 'layer4.0.conv1' } }],
  ['2nd', { moe: { at: 'layer4.0.conv2' } }],
  ['3rd', { moe: { at: 'layer4.1.conv1' } }],
  ['4th', { moe: { at: 'layer4.1.conv2' } }],
  ['all', { moe: { at: 'layer4' } }],
];

/** All convolutions with k = 1 are rows of the main grid; like the paper's, they take in the 1x1 convolution of the skip. */
const all = ['entropy', 'switch'].flatMap((loss) => ['gap-fc', 'conv-gap'].map((gate) => [`all-${loss}-${gate}`, X1.get(`conv-${loss}-${gate}-k1`) ?? {}] as const));

export const x4: Experiment = {
  about: 'placement of ConvMoE: each convolution of conv5_x, and all',
  rows: withPublished([...grid(MODES, models('dense')), ...grid(MODES, PLACES, LOSS_AXIS('conv'), GATE_AXIS)], new Map([...X4, ...all, ['dense', X1.get('dense') ?? {}]])),
};
