import { createRng } from '@moe/core';
import { expectGradient } from '@moe/testing';
import { type Scalar, type Tensor, type Tensor2D, type Tensor3D, abs, dispose, max, mul, slice, softmax, sub, sum, tensor, tensor1d, tensor2d, tidy, transpose } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { dispatch } from '../dispatch/dispatch.js';
import { prototypeGate } from '../gates/prototype-gate.js';
import { V_MOE_LOGITS, identityGate } from '../internal/testing-fixtures.js';
import type { RouteContext, Router, SparsePlan, Weights } from '../types.js';
import { acRouter } from './ac-router.js';
import { baseRouter } from './base-router.js';
import { expertChoiceRouter } from './expert-choice-router.js';
import { hashRouter } from './hash-router.js';
import { patchChoiceRouter } from './patch-choice-router.js';
import { pathwayRouter } from './pathway-router.js';
import { randomRouter } from './random-router.js';
import { roundRobinRouter } from './round-robin-router.js';
import { sinkhornRouter } from './sinkhorn-router.js';
import { softMoeRouter } from './soft-moe-router.js';
import { topKRouter } from './top-k-router.js';

const evaluation: RouteContext = { training: false };
const gate = identityGate;
const route = (router: Router, logits: number[][], context = evaluation, weights: Weights = {}): SparsePlan => router.route(weights, tensor2d(logits), context) as SparsePlan;
const tokensOf = ({ assignment: { tokenOfSlot, expertOffsets } }: SparsePlan): number[][] =>
  Array.from(expertOffsets.slice(1), (end, expert) => Array.from(tokenOfSlot.slice(expertOffsets[expert], end)));
const expertsOf = (plan: SparsePlan): number[] => plan.combineWeights.arraySync().map((row) => row.findIndex((weight) => weight > 0));

describe('expertChoiceRouter', () => {
  it.each([[2, [[1, 2, 5], [1, 4, 5], [0, 3, 4], [0, 2, 3]]], [4 / 3, [[1, 5], [1, 4], [0, 4], [2, 3]]]] as const)('takes the golden tokens of V-MoE, capacity factor %f', (capacityFactor, tokens) => {
    tidy(() => {
      // ⌈6 · factor / 4⌉ is 3 and 2.
      const plan = route(expertChoiceRouter({ numExperts: 4, capacityFactor, gate }), V_MOE_LOGITS);
      expect(tokensOf(plan)).toEqual(tokens);
      const gates = softmax(tensor2d(V_MOE_LOGITS)).arraySync() as number[][];
      const expected = gates.map((row, t) => row.map((g, e) => ((tokens[e] as readonly number[]).includes(t) ? g : 0)));
      expect(plan.combineWeights).toBeAllClose(expected.flat());
    });
  });

  it('lets another image change nothing when it chooses within examples, and something over the batch', () => {
    tidy(() => {
      const [one, other] = [[[3, 0], [2, 0]], [[9, 0], [8, 0]]];
      const weights = (within: 'batch' | 'example', rows: number[][]): Tensor => slice(route(expertChoiceRouter({ numExperts: 2, gate, within }), rows, { training: false, rowsPerExample: 2 }).combineWeights, 0, 2);
      expect(weights('example', [...one, ...other])).toBeAllClose(weights('example', one));
      expect(max(abs(sub(weights('batch', [...one, ...other]), weights('batch', one))))).toBeWithin(0.1, 1);
    });
  });
});

describe('patchChoiceRouter', () => {
  it('softmaxes the scores of the chosen patches of an image', () => {
    tidy(() => {
      // Expert 0 takes patches 0 and 2 with softmax(2, 1), expert 1 patches 1 and 2 with softmax(5, 0).
      const plan = route(patchChoiceRouter({ numExperts: 2, patches: 2, gate }), [[2, -1], [0, 5], [1, 0]], { training: false, rowsPerExample: 3 });
      expect(plan.combineWeights).toBeAllClose([0.731059, 0, 0, 0.993307, 0.268941, 0.006693], { atol: 1e-5 });
    });
  });

  it('refuses a single patch, and images with fewer', () => {
    expect(() => patchChoiceRouter({ numExperts: 2, patches: 1, gate })).toThrow('patchChoiceRouter: patches must be an integer ≥ 2, got 1.');
    expect(() => route(patchChoiceRouter({ numExperts: 2, patches: 2, gate }), [[1, 2]])).toThrow('patchChoiceRouter: context.rowsPerExample must divide the 1 rows and be at least 2, got 1.');
  });
});

describe('softMoeRouter', () => {
  const inputs = (): Tensor2D => tensor2d(Array.from({ length: 5 }, (_, i) => Array.from({ length: 4 }, (_, j) => Math.sin(0.7 * i + 1.3 * j))));
  /** μ[d,n,p] of the golden values, in this router's order [D,S,E]. */
  const slots = (): Tensor => transpose(tensor(Array.from({ length: 4 }, (_, d) => Array.from({ length: 3 }, (_, n) => Array.from({ length: 2 }, (_, p) => Math.cos(0.5 * d + 1.1 * n + 0.4 * p))))), [0, 2, 1]);
  const weights = (): Weights => ({ slots: slots(), scale: tensor(1) });
  const router = softMoeRouter({ numExperts: 3, slotsPerExpert: 2 });
  const context = { training: false, rowsPerExample: 5 };

  it('has the golden outputs', () => {
    tidy(() => {
      const plan = router.route(weights(), inputs(), context);
      const outputs = dispatch(plan, inputs(), [0, 1, 2].map((n) => (x: Tensor) => mul(x, n + 1)));
      expect(slice(outputs, [0, 0], [1, 4])).toBeAllClose([1.0278856, 0.4025902, -0.8125008, -0.8372762], { atol: 1e-5 });
      expect(slice(outputs, [4, 0], [1, 4])).toBeAllClose([1.3863388, 0.2995384, -1.2260865, -0.9554918], { atol: 1e-5 });
    });
  });

  it('mixes tokens to slots and slots to tokens with shares that sum to 1', () => {
    tidy(() => {
      const plan = router.route(weights(), inputs(), context);
      if (plan.kind !== 'soft') throw new Error('a soft plan was expected');
      expect(sum(plan.slots.dispatch as Tensor3D, 1)).toBeAllClose(new Array<number>(6).fill(1));
      expect(sum(plan.slots.combine as Tensor3D, 2)).toBeAllClose(new Array<number>(5).fill(1));
      expect(plan.gates).toBeAllClose(plan.combineWeights);
    });
  });

  it('gives a token that does not count no part in any slot', () => {
    tidy(() => {
      const masked = router.route(weights(), inputs(), { ...context, mask: [true, true, false, true, true] });
      if (masked.kind !== 'soft') throw new Error('a soft plan was expected');
      expect(slice(masked.slots.dispatch, [0, 2, 0], [1, 1, 6])).toBeAllClose(new Array<number>(6).fill(0));
      expect(sum(masked.slots.dispatch, 1)).toBeAllClose(new Array<number>(6).fill(1));
    });
  });

  it('is differentiable through everything', () => {
    const [x, mu] = tidy(() => [inputs(), slots()]);
    const loss = (rows: Tensor, prototypes: Tensor): Scalar => sum(mul(dispatch(router.route({ slots: prototypes, scale: tensor(1) }, rows, context), rows, [0, 1, 2].map((n) => (t: Tensor) => mul(t, n + 1))), inputs()));
    expectGradient((t) => loss(t, mu!), x!);
    expectGradient((t) => loss(x!, t), mu!);
    dispose([x!, mu!]);
  });
});

describe('routers without a gate', () => {
  it('roundRobinRouter takes turns', () => {
    tidy(() => {
      const rows = Array.from({ length: 6 }, () => [0]);
      expect(expertsOf(route(roundRobinRouter({ numExperts: 4, by: 'row' }), rows))).toEqual([0, 1, 2, 3, 0, 1]);
      expect(expertsOf(route(roundRobinRouter({ numExperts: 4, by: 'position' }), rows, { training: false, rowsPerExample: 3 }))).toEqual([0, 1, 2, 0, 1, 2]);
      expect(route(roundRobinRouter({ numExperts: 3, topK: 2, by: 'row' }), rows.slice(0, 2)).combineWeights).toBeAllClose([0.5, 0.5, 0, 0, 0.5, 0.5]);
    });
  });

  it('hashRouter sends an example to the same expert wherever it stands, whatever it shows', () => {
    tidy(() => {
      const router = hashRouter({ numExperts: 8, by: 'example' });
      const rows = Array.from({ length: 64 }, (_, i) => [i]);
      const ids = rows.map((_, i) => 1000 + i);
      const experts = expertsOf(route(router, rows, { training: false, exampleIds: ids }));
      expect(new Set(experts).size).toBe(8);
      expect(expertsOf(route(router, rows.slice(0, 3), { training: true, exampleIds: ids.slice(5, 8) }))).toEqual(experts.slice(5, 8));
      expect(() => route(router, rows)).toThrow('hashRouter: context.exampleIds must hold the id of each of the 64 examples, got undefined.');
    });
  });

  it('randomRouter draws anew in training and not in evaluation', () => {
    tidy(() => {
      const router = randomRouter({ numExperts: 8, by: 'row', seed: 3 });
      const rows = Array.from({ length: 40 }, () => [0]);
      const train = (seed: number): number[] => expertsOf(route(router, rows, { training: true, rng: createRng(seed) }));
      expect(train(1)).not.toEqual(train(2));
      expect(expertsOf(route(router, rows))).toEqual(expertsOf(route(router, rows)));
      expect(expertsOf(route(router, rows))).toEqual(expertsOf(route(hashRouter({ numExperts: 8, by: 'row', seed: 3 }), rows)));
    });
  });
});

describe('topKRouter with fixed prototypes', () => {
  it('is the Voronoi partition', () => {
    tidy(() => {
      const prototypes = [[0, 0], [2, 0], [0, 3]];
      const router = topKRouter({ numExperts: 3, gate: prototypeGate({ prototypes }) });
      const weights = Object.fromEntries(Object.entries(router.init([2], createRng(1))).map(([name, { value }]) => [name, value]));
      expect(expertsOf(route(router, [[0.9, 0], [1.1, 0], [0, 1.6], [0.9, 1.4]], evaluation, weights))).toEqual([0, 1, 2, 0]);
      expect(() => topKRouter({ numExperts: 2, gate: prototypeGate({ prototypes }) }).init([2], createRng(1))).toThrow('prototypeGate: prototypes must be 2 rows of 2 numbers');
    });
  });
});

describe('sinkhornRouter', () => {
  it('takes rows from an expert that all prefer', () => {
    tidy(() => {
      const logits = [[3, 0], [3, 1], [3, 2], [3, 2.5]];
      expect(expertsOf(route(topKRouter({ numExperts: 2, gate }), logits))).toEqual([0, 0, 0, 0]);
      const plan = route(sinkhornRouter({ numExperts: 2, gate, weights: 'sigmoid' }), logits);
      expect(expertsOf(plan)).toEqual([0, 0, 1, 1]);
      expect(plan.combineWeights).toBeAllClose([0.952574, 0, 0.952574, 0, 0, 0.880797, 0, 0.924142], { atol: 1e-5 });
    });
  });
});

describe('baseRouter', () => {
  it('fills experts evenly in training, best in all, and chooses freely in evaluation', () => {
    tidy(() => {
      const logits = [[3, 0], [3, 1], [3, 2], [3, 2.5]];
      expect(expertsOf(route(baseRouter({ numExperts: 2, gate }), logits, { training: true }))).toEqual([0, 0, 1, 1]);
      expect(expertsOf(route(baseRouter({ numExperts: 2, gate }), logits))).toEqual([0, 0, 0, 0]);
    });
  });
});

describe('pathwayRouter', () => {
  it('sends all rows of an example where their mean score is largest', () => {
    tidy(() => {
      const router = pathwayRouter({ numExperts: 2, gate });
      const rows = [[5, 0], [0, 1], [0, 1], [2, 1]];
      expect(expertsOf(route(router, rows, { training: false, rowsPerExample: 2 }))).toEqual([0, 0, 0, 0]);
      expect(expertsOf(route(router, rows, { training: false, rowsPerExample: 2, mask: [false, true, true, true] }))).toEqual([-1, 1, 0, 0]);
      expect(expertsOf(route(router, rows))).toEqual([0, 1, 1, 0]);
    });
  });
});

describe('acRouter', () => {
  const previous = (): Tensor2D => tensor2d([[1, 0], [1, 0], [0, 1], [0, 1]]);
  // In cluster 0 the first feature is tight, in cluster 1 the second.
  const rows = [[1, 4], [1, -4], [3, 1], [-3, 1]];

  it('raises features in which the cluster is tight, within the clamp', () => {
    tidy(() => {
      const router = acRouter({ numExperts: 2, gate, eps: 1, clamp: 1.5, statistics: 'batch' });
      // Deviations (0, 4) and (3, 0); inverses (1, .2) → clamped at 1.5 · .6 = .9 → (.9, .2)/.55; (.25, 1) → (.25, .9375)/.59375.
      const seen = route(router, rows, { training: false, previous: previous() }, { deviation: tensor2d([[1, 1], [1, 1]]) }).gateLogits;
      const [a, b, c, d] = [0.9 / 0.55, 0.2 / 0.55, 0.25 / 0.59375, 0.9375 / 0.59375];
      expect(seen).toBeAllClose([a, 4 * b, a, -4 * b, 3 * c, d, -3 * c, d], { atol: 1e-5 });
    });
  });

  it('keeps running statistics by default, and is a plain router without a layer before', () => {
    tidy(() => {
      const router = acRouter({ numExperts: 2, gate, eps: 1, decay: 0.5 });
      const weights = { deviation: tensor2d([[2, 2], [2, 2]]) };
      const { updates } = route(router, rows, { training: true, previous: previous() }, weights);
      expect(updates?.['deviation']).toBeAllClose([1, 3, 2.5, 1], { atol: 1e-6 });
      expect(route(router, rows, { training: false, previous: previous() }, weights).gateLogits).toBeAllClose(rows.flat(), { atol: 1e-6 });
      expect(route(router, rows, evaluation, weights).gateLogits).toBeAllClose(rows.flat());
      expect(router.batchInvariant).toBe(true);
      expect(acRouter({ numExperts: 2, gate, statistics: 'batch' }).batchInvariant).toBe(false);
    });
  });

  it('lets a cluster without tokens keep its statistics', () => {
    tidy(() => {
      const { updates } = route(acRouter({ numExperts: 2, gate, decay: 0 }), rows, { training: true, previous: tensor2d([[1, 0], [1, 0], [1, 0], [1, 0]]) }, { deviation: tensor2d([[7, 7], [7, 7]]) });
      expect(slice(updates!['deviation']!, [1, 0], [1, 2])).toBeAllClose([7, 7]);
    });
  });
});

describe('routers that decide on the host', () => {
  it('say so', () => {
    expect(() => baseRouter({ numExperts: 2, gate }).route({}, tensor1d([1]), { training: false, onDevice: true })).toThrow('baseRouter: context.onDevice must be false, because the assignment is made on the host, got true.');
  });
});
