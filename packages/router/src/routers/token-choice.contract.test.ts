import { convGap } from '../gates/conv-gap.js';
import { cosineGate } from '../gates/cosine-gate.js';
import { gapFc } from '../gates/gap-fc.js';
import { describeRouter } from '../testing/index.js';
import { gshardRouter } from './gshard-router.js';
import { noisyTopKRouter } from './noisy-top-k-router.js';
import { reluRouter } from './relu-router.js';
import { sigmoidRouter } from './sigmoid-router.js';
import { softTopKRouter } from './soft-top-k-router.js';
import { softmaxRouter } from './softmax-router.js';
import { sparsemaxRouter } from './sparsemax-router.js';
import { stMoeRouter } from './st-moe-router.js';
import { switchRouter } from './switch-router.js';
import { topKRouter } from './top-k-router.js';
import { vMoeRouter } from './v-moe-router.js';

const gate = gapFc({ bias: false });

describeRouter('softmaxRouter', (numExperts) => softmaxRouter({ numExperts, gate, balance: 'switchLoss' }), { topK: [4], onDevice: true });
describeRouter('topKRouter with a cosine gate', (numExperts, topK) => topKRouter({ numExperts, topK, gate: cosineGate({ dimension: 6 }) }), { topK: [2], rowShape: [5], onDevice: true });
describeRouter('vMoeRouter', (numExperts, topK) => vMoeRouter({ numExperts, topK, gate, balance: 'importanceLoss', loadWeight: 0.5 }), { weightsSumToOne: false });
describeRouter('vMoeRouter with capacity', (numExperts, topK) => vMoeRouter({ numExperts, topK, gate, capacity: { factor: 0.5, priority: 'weight' } }), {
  topK: [1, 2],
  weightsSumToOne: false,
  capacity: (topK) => 3 * topK,
});
describeRouter('noisyTopKRouter', (numExperts, topK) => noisyTopKRouter({ numExperts, topK, gate, balance: 'importanceLoss', loadWeight: 0.1 }), { topK: [2, 3], trainingOnly: ['noise/kernel'] });
describeRouter('switchRouter', (numExperts) => switchRouter({ numExperts, gate: convGap(), balance: 'switchLoss', capacity: { factor: 1 } }), {
  topK: [1],
  weightsSumToOne: false,
  mixtureAtFullK: false,
  capacity: () => 6,
});
describeRouter('gshardRouter', (numExperts) => gshardRouter({ numExperts, gate, balance: 'switchLoss' }), { topK: [2], fixedChoices: false, mixtureAtFullK: false, weightsSumToOne: false });
describeRouter('stMoeRouter', (numExperts, topK) => stMoeRouter({ numExperts, topK, gate, balance: ['switchLoss', { loss: 'zLoss', weight: 0.1 }] }), { topK: [2, 3], fixedChoices: false, weightsSumToOne: false });
describeRouter('sigmoidRouter', (numExperts, topK) => sigmoidRouter({ numExperts, topK, gate }), { weightsSumToOne: false, unitAlone: false });
describeRouter('reluRouter', (numExperts, topK) => reluRouter({ numExperts, topK, gate: gapFc() }), { onDevice: true, fixedChoices: false, weightsSumToOne: false, unitAlone: false, mixtureAtFullK: false });
describeRouter('sparsemaxRouter', (numExperts) => sparsemaxRouter({ numExperts, gate }), { topK: [4], onDevice: true, fixedChoices: false });
describeRouter('softTopKRouter', (numExperts, topK) => softTopKRouter({ numExperts, topK, gate }), { fixedChoices: false });
