import { type Experiment, grid, models } from './experiment.js';

const whole = { moe: { at: 'layer4' } } as const;
const shallow = { moe: { at: 'layer3.1' } } as const;
const second = { moe: { at: 'layer4.1' } } as const;

/** What `results/cifar-small` holds: the claims of the paper in as few models as can carry them. */
export const headline: Experiment = {
  about: 'the claims of the paper in eleven models: dense, placement, loss, number of experts, depth',
  rows: [
    ...grid(models('dense')),
    ...grid([['2nd', second]], models('block-entropy', 'block-switch')),
    ...grid([['all', whole]], models('block-switch', 'block-entropy', 'conv-switch', 'conv-entropy')),
    ...grid([['all', whole]], models('block-switch'), [['e2', { moe: { numExperts: 2 } }], ['e8', { moe: { numExperts: 8 } }]]),
    ...grid([['conv4-2nd', shallow]], models('block-entropy', 'block-switch')),
  ],
};
