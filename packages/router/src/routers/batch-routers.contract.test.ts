import { gapFc } from '../gates/gap-fc.js';
import { prototypeGate } from '../gates/prototype-gate.js';
import { describeRouter } from '../testing/index.js';
import { acRouter } from './ac-router.js';
import { baseRouter } from './base-router.js';
import { expertChoiceRouter } from './expert-choice-router.js';
import { hashRouter } from './hash-router.js';
import { patchChoiceRouter } from './patch-choice-router.js';
import { pathwayRouter } from './pathway-router.js';
import { randomRouter } from './random-router.js';
import { roundRobinRouter } from './round-robin-router.js';
import { sinkhornRouter } from './sinkhorn-router.js';
import { sparseTransportRouter } from './sparse-transport-router.js';
import { softMoeRouter } from './soft-moe-router.js';
import { softmaxRouter } from './softmax-router.js';
import { topKRouter } from './top-k-router.js';
import { voronoiRouter } from './voronoi-router.js';

const gate = gapFc({ bias: false });
const uneven = { fixedChoices: false, weightsSumToOne: false } as const;

describeRouter('expertChoiceRouter over the batch', (numExperts, topK) => expertChoiceRouter({ numExperts, capacityFactor: topK, gate, balance: 'importanceLoss' }), { ...uneven, capacity: (topK) => 6 * topK });
describeRouter('expertChoiceRouter within examples', (numExperts, topK) => expertChoiceRouter({ numExperts, capacityFactor: topK, gate, within: 'example' }), { ...uneven, rowShape: [5], rowsPerExample: 8 });
describeRouter('patchChoiceRouter', (numExperts, topK) => patchChoiceRouter({ numExperts, patches: Math.max(topK, 2), gate }), { ...uneven, topK: [2, 3], rowShape: [5], rowsPerExample: 6, unitAlone: false, mixtureAtFullK: false });
describeRouter('softMoeRouter', (numExperts) => softMoeRouter({ numExperts }), { topK: [4], rowShape: [5], rowsPerExample: 6, onDevice: true, mixtureAtFullK: false, unitAlone: false });
describeRouter('hashRouter by position', (numExperts, topK) => hashRouter({ numExperts, topK, by: 'position' }), { rowsPerExample: 6, positional: true, symmetricExperts: false });
describeRouter('randomRouter by position', (numExperts, topK) => randomRouter({ numExperts, topK, by: 'position' }), { rowsPerExample: 4, positional: true, symmetricExperts: false });
describeRouter('roundRobinRouter by position', (numExperts, topK) => roundRobinRouter({ numExperts, topK, by: 'position' }), { rowsPerExample: 12, positional: true, symmetricExperts: false });
describeRouter('softmaxRouter with prototypes', (numExperts) => softmaxRouter({ numExperts, gate: prototypeGate() }), { topK: [4], rowShape: [5], onDevice: true });
describeRouter('topKRouter with prototypes', (numExperts, topK) => topKRouter({ numExperts, topK, gate: prototypeGate({ beta: 0.5, similarity: 'dot' }) }), { rowShape: [5], onDevice: true });
describeRouter('sinkhornRouter', (numExperts, topK) => sinkhornRouter({ numExperts, topK, gate }), { weightsSumToOne: false });
describeRouter('sinkhornRouter, experts choose', (numExperts, topK) => sinkhornRouter({ numExperts, topK, gate, choice: 'expert', weights: 'sigmoid' }), { ...uneven, unitAlone: false, mixtureAtFullK: false, capacity: (topK) => 6 * topK });
describeRouter('sparseTransportRouter', (numExperts, topK) => sparseTransportRouter({ numExperts, capacityFactor: topK, gate }), { ...uneven, unitAlone: false, mixtureAtFullK: false, capacity: (topK) => 6 * topK });
describeRouter('baseRouter', (numExperts) => baseRouter({ numExperts, gate }), { topK: [1], weightsSumToOne: false, unitAlone: false, mixtureAtFullK: false, capacity: () => 6 });
describeRouter('pathwayRouter', (numExperts) => pathwayRouter({ numExperts, gate }), { topK: [1], rowShape: [5], rowsPerExample: 4, onDevice: true, mixtureAtFullK: false });
const points = (numExperts: number) => Array.from({ length: numExperts }, (_, expert) => [Math.cos(expert), Math.sin(2 * expert), Math.cos(3 * expert)]);
for (const branching of [2, 4]) {
  describeRouter(`voronoiRouter, ${branching} children a node`, (numExperts) => voronoiRouter({ prototypes: points(numExperts), branching }), { topK: [1], rowShape: [2, 3], symmetricExperts: false, mixtureAtFullK: false });
}
describeRouter('acRouter', (numExperts, topK) => acRouter({ numExperts, topK, gate }), { topK: [2, 3], rowShape: [5], onDevice: true });
