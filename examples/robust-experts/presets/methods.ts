import { type Axis, type Experiment, grid, models } from './experiment.js';

const ANY_NETWORK: Axis = [
  ['pgd', {}],
  ['trades', { training: { method: 'trades' } }],
  ['mart', { training: { method: 'mart' } }],
  ['awp', { training: { awp: 0.01 } }],
  ['ema', { training: { ema: 0.995 } }],
  ['smooth', { training: { labelSmoothing: 0.1 } }],
];

const MIXTURES: Axis = [
  ['rt-er', { training: { method: 'rt-er' } }],
  ['adv-moe', { training: { method: 'adv-moe' } }],
  ['adv-moe-released', { training: { method: 'adv-moe', variant: 'released' } }],
  ['v-moe', { training: { method: 'v-moe' } }],
  ['expert-consistency', { training: { terms: ['expert-consistency'] } }],
  ['router-kl', { training: { terms: ['router-kl'] } }],
  ['router-margin', { training: { terms: ['router-margin'] } }],
];

const second = { moe: { at: 'layer4.1' } } as const;

/** Not in the paper: what else is published on training networks, and mixtures, to resist attacks. */
export const methods: Experiment = {
  about: 'other ways of adversarial training, dense and BlockMoE in the second block: TRADES, MART, AWP, averaged weights, smooth labels, robust routing',
  rows: [
    ...grid(models('dense'), ANY_NETWORK),
    ...grid([['2nd', second]], models('block-entropy'), [...ANY_NETWORK, ...MIXTURES]),
    // Its authors have it instead of balance losses.
    ...grid([['2nd', second]], models('block-none'), [['prc', { training: { terms: ['prc'] } }]]),
  ],
};
