import { type Experiment, asIn, grid, models, withPublished } from './experiment.js';
import { X1, X3 } from './published.js';

const whole = { moe: { at: 'layer4' } } as const;
const shallow = { moe: { at: 'layer3.1' } } as const;
const second = { moe: { at: 'layer4.1' } } as const;

/** The paper has these models for CIFAR-100, at full width. */
const PUBLISHED = new Map([
  ...asIn(X1, { dense: 'dense', ...Object.fromEntries(['block-switch', 'block-entropy', 'conv-switch', 'conv-entropy'].map((model) => [`all-${model}`, `${model}-gap-fc-k1`])) }),
  ...asIn(X3, Object.fromEntries(['entropy', 'switch'].flatMap((loss) => [[`2nd-block-${loss}`, `conv5-2nd-${loss}-gap-fc`], [`conv4-2nd-block-${loss}`, `conv4-2nd-${loss}-gap-fc`]]))),
]);

/** What `results/cifar-small` holds: the claims of the paper in as few models as can carry them. */
export const headline: Experiment = {
  about: 'the claims of the paper in eleven models: dense, placement, loss, number of experts, depth',
  rows: withPublished(
    [
      ...grid(models('dense')),
      ...grid([['2nd', second]], models('block-entropy', 'block-switch')),
      ...grid([['all', whole]], models('block-switch', 'block-entropy', 'conv-switch', 'conv-entropy')),
      ...grid([['all', whole]], models('block-switch'), [['e2', { moe: { numExperts: 2 } }], ['e8', { moe: { numExperts: 8 } }]]),
      ...grid([['conv4-2nd', shallow]], models('block-entropy', 'block-switch')),
    ],
    PUBLISHED,
  ),
};
