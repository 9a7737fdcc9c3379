import { createRng } from '@moe/core';
import { abs, dispose, scalar, softmax, sum, tensor1d, tensor2d, tidy, zeros } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { gapFc } from '../gates/gap-fc.js';
import { cosineGate } from '../gates/cosine-gate.js';
import { V_MOE_LOGITS, identityGate } from '../internal/testing-fixtures.js';
import { planTensors } from '../plans/build-plan.js';
import type { RouteContext, Router, SparsePlan, Weights } from '../types.js';
import { gshardRouter } from './gshard-router.js';
import { noisyTopKRouter } from './noisy-top-k-router.js';
import { reluRouter } from './relu-router.js';
import { sigmoidRouter } from './sigmoid-router.js';
import { softTopKRouter } from './soft-top-k-router.js';
import { softmaxRouter } from './softmax-router.js';
import { sparsemaxRouter } from './sparsemax-router.js';
import { stMoeRouter } from './st-moe-router.js';
import { switchRouter } from './switch-router.js';
import { vMoeRouter } from './v-moe-router.js';

const evaluation: RouteContext = { training: false };
const train = (seed = 1): RouteContext => ({ training: true, rng: createRng(seed) });
const gate = identityGate;
const weightsOf = (router: Router, shape: readonly number[]): Weights => Object.fromEntries(Object.entries(router.init(shape, createRng(1))).map(([name, { value }]) => [name, value]));
const route = (router: Router, logits: number[][], context = evaluation, weights: Weights = {}): SparsePlan => router.route(weights, tensor2d(logits), context) as SparsePlan;
const chosenBy = (plan: SparsePlan): number[][] => plan.combineWeights.arraySync().map((row) => row.flatMap((weight, expert) => (weight > 0 ? [expert] : [])));

describe('softmaxRouter', () => {
  it('weights every expert by its gate', () => {
    tidy(() => {
      const plan = route(softmaxRouter({ numExperts: 4, gate }), V_MOE_LOGITS);
      expect(plan.combineWeights).toBeAllClose(softmax(tensor2d(V_MOE_LOGITS)));
      expect(plan.assignment.tokenOfSlot).toHaveLength(24);
    });
  });
});

describe('vMoeRouter', () => {
  it('keeps and drops what V-MoE does, and does not make up for weights', () => {
    tidy(() => {
      const gates = softmax(tensor2d(V_MOE_LOGITS)).arraySync() as number[][];
      for (const [priority, experts] of [['position', [[2], [0, 1], [3], [3], [1, 2], [0]]], ['weight', [[2], [0, 1], [3], [3], [2], [0, 1]]]] as const) {
        // Capacity 2 for 6 tokens, k = 2 and 4 experts: ⌈12 · factor / 4⌉.
        const plan = route(vMoeRouter({ numExperts: 4, topK: 2, gate, noiseStd: 0, capacity: { factor: 2 / 3, priority } }), V_MOE_LOGITS, train());
        expect(chosenBy(plan)).toEqual(experts);
        expect(plan.droppedFraction).toBeCloseTo(4 / 12);
        expect(plan.combineWeights).toBeAllClose(gates.map((row, t) => row.map((g, e) => ((experts[t] as readonly number[]).includes(e) ? g : 0))).flat());
      }
    });
  });

  it('draws noise of deviation σ/E in training, the same whatever the batch, and none in evaluation', () => {
    tidy(() => {
      const router = vMoeRouter({ numExperts: 2, gate, noiseStd: 2 });
      const logits = Array.from({ length: 400 }, () => [0, 0]);
      const gates = route(router, logits, train()).gates.arraySync();
      // ln(g₀/g₁) is the difference of two draws of deviation 1: variance 2.
      const differences = gates.map(([a, b]) => Math.log(a! / b!));
      const variance = differences.reduce((total, d) => total + d * d, 0) / differences.length;
      expect(variance).toBeGreaterThan(1.6);
      expect(variance).toBeLessThan(2.4);
      expect(route(router, logits.slice(0, 3), train()).gates).toBeAllClose(gates.slice(0, 3).flat());
      expect(route(router, logits).gates).toBeAllClose(logits.flatMap(() => [0.5, 0.5]));
    });
  });

  it('adds the load loss in training only, and without noise never', () => {
    tidy(() => {
      const router = vMoeRouter({ numExperts: 4, topK: 2, gate, loadWeight: 10 });
      expect(route(router, V_MOE_LOGITS, train()).auxLoss).toBeWithin(1e-3, 10);
      expect(route(router, V_MOE_LOGITS).auxLoss).toBeAllClose(0);
      expect(route(vMoeRouter({ numExperts: 4, topK: 2, gate, loadWeight: 10, noiseStd: 0 }), V_MOE_LOGITS, train()).auxLoss).toBeAllClose(0);
    });
  });
});

describe('noisyTopKRouter', () => {
  it('softmaxes the chosen scores', () => {
    tidy(() => {
      const router = noisyTopKRouter({ numExperts: 3, topK: 2, gate });
      // Experts 0 and 2: σ(1) = .731059.
      expect(route(router, [[2, 0, 1]], evaluation, { 'noise/kernel': zeros([3, 3]) }).combineWeights).toBeAllClose([0.731059, 0, 0.268941], { atol: 1e-6 });
    });
  });

  it('refuses K = 1, whose weight is always 1', () => {
    expect(() => noisyTopKRouter({ numExperts: 3, topK: 1, gate })).toThrow('noisyTopKRouter: topK must be at least 2, got 1. A softmax over one expert is always 1');
  });
});

describe('switchRouter', () => {
  it('weights the best expert by its gate, and drops what is over capacity', () => {
    tidy(() => {
      const router = switchRouter({ numExperts: 2, gate, jitter: 0, capacity: { factor: 1 } });
      const logits = [[1, 0], [2, 0], [0, 1], [3, 0]];
      expect(route(router, logits).combineWeights).toBeAllClose([0.731059, 0, 0.880797, 0, 0, 0.731059, 0.952574, 0], { atol: 1e-6 });
      const trained = route(router, logits, train());
      expect(trained.combineWeights).toBeAllClose([0.731059, 0, 0.880797, 0, 0, 0.731059, 0, 0], { atol: 1e-6 });
      expect(trained.droppedFraction).toBe(0.25);
    });
  });

  it('jitters by at most the given share, in training only', () => {
    tidy(() => {
      const router = switchRouter({ numExperts: 2, gate, jitter: 0.1 });
      const logits = Array.from({ length: 50 }, () => [1, -1]);
      const seen = route(router, logits, train()).gateLogits;
      expect(abs(seen)).toBeWithin(0.9, 1.1);
      expect(new Set(seen.dataSync()).size).toBeGreaterThan(50);
      expect(route(router, logits).gateLogits).toBeAllClose(logits.flat(), { rtol: 0, atol: 0 });
    });
  });
});

describe.each([
  ['gshardRouter', gshardRouter({ numExperts: 2, gate }), 0.5],
  ['stMoeRouter', stMoeRouter({ numExperts: 2, gate, threshold: 0.8 }), 0.8],
] as const)('%s', (_, router, threshold) => {
  it('keeps second choices with the probability of their share over the threshold, in training only', () => {
    tidy(() => {
      const share = 0.2;
      const logits = Array.from({ length: 2000 }, () => [Math.log(1 - share), Math.log(share)]);
      const seconds = route(router, logits, train()).assignment.expertOffsets;
      const kept = (seconds[2]! - seconds[1]!) / 2000;
      // Binomial with 2,000 draws: four deviations are below .045.
      expect(Math.abs(kept - share / threshold)).toBeLessThan(0.045);
      const evaluated = route(router, logits.slice(0, 2));
      expect(evaluated.combineWeights).toBeAllClose([0.8, 0.2, 0.8, 0.2], { atol: 1e-6 });
    });
  });
});

describe('sigmoidRouter', () => {
  it('chooses with the bias and weights without it', () => {
    tidy(() => {
      const router = sigmoidRouter({ numExperts: 3, topK: 2, gate });
      const loadBias = tensor1d([-1, 0.5, 0]);
      // Affinities .880797, .5, .731059; with the bias expert 0 falls out. Weights .5/(.5 + .731059).
      expect(route(router, [[2, 0, 1]], evaluation, { loadBias }).combineWeights).toBeAllClose([0, 0.406155, 0.593845], { atol: 1e-5 });
    });
  });

  it('moves the bias of loaded experts down and of others up, in training', () => {
    tidy(() => {
      const router = sigmoidRouter({ numExperts: 3, topK: 1, gate, biasStep: 0.25 });
      const loadBias = tensor1d([0, 0, 0]);
      // Loads 2/3, 1/3 and 0 of the tokens, mean 1/3.
      const { updates } = route(router, [[2, 0, 0], [2, 0, 0], [0, 2, 0]], train(), { loadBias });
      expect(updates?.['loadBias']).toBeAllClose([-0.25, 0, 0.25], { atol: 1e-6 });
    });
  });

  it('stays finite where all affinities vanish', () => {
    tidy(() => {
      const router = sigmoidRouter({ numExperts: 2, topK: 2, gate });
      expect(route(router, [[-200, -300]], evaluation, { loadBias: tensor1d([0, 0]) }).combineWeights).toBeAllClose([0, 0]);
    });
  });
});

describe('reluRouter', () => {
  const weights = (): Weights => ({ logSparsityWeight: scalar(0) });

  it('runs the experts whose score is above 0', () => {
    tidy(() => {
      const plan = route(reluRouter({ numExperts: 3, gate }), [[2, -1, 0.5], [-1, -1, -1]], evaluation, weights());
      expect(plan.combineWeights).toBeAllClose([2, 0, 0.5, 0, 0, 0]);
      expect(Array.from(plan.assignment.expertOffsets)).toEqual([0, 1, 1, 2]);
    });
  });

  it('still gives outputs when no expert has a score above 0', () => {
    tidy(() => {
      expect(route(reluRouter({ numExperts: 2, gate }), [[-1, -2]], evaluation, weights()).assignment.tokenOfSlot).toHaveLength(1);
    });
  });

  it('penalises weights by the use of their expert, and steers the weight of that loss', () => {
    tidy(() => {
      const router = reluRouter({ numExperts: 2, topK: 1, gate, sparsityFactor: 2 });
      // Mean weights (2, .5), used by 1 and ½ of the tokens: (2·1 + .5·½) · E/K = 4.5, times λ = 1. 1.5 experts a token are more than 1.
      const busy = route(router, [[1, 1], [3, -1]], train(), weights());
      expect(busy.auxLoss).toBeAllClose(4.5);
      expect(busy.updates?.['logSparsityWeight']).toBeAllClose(Math.log(2));
      expect(route(router, [[-1, -1], [1, -1]], train(), weights()).updates?.['logSparsityWeight']).toBeAllClose(-Math.log(2));
    });
  });
});

describe('sparsemaxRouter and softTopKRouter', () => {
  it('run the experts whose weight is above 0', () => {
    tidy(() => {
      const plan = route(sparsemaxRouter({ numExperts: 5, gate }), [[0.9, 0.2, 0.7, -0.3, 0.65]]);
      expect(chosenBy(plan)).toEqual([[0, 2, 4]]);
      expect(chosenBy(route(softTopKRouter({ numExperts: 3, topK: 1, gate, eps: 0.5 }), [[2, 1, 0], [1, 0.9, 0]]))).toEqual([[0], [0, 1]]);
      expect(sum(route(softTopKRouter({ numExperts: 3, topK: 2, gate }), [[2, 1, 0.8]]).combineWeights)).toBeAllClose(1);
    });
  });
});

describe('cosineGate', () => {
  it('does not see how long its input is', () => {
    tidy(() => {
      const own = cosineGate({ dimension: 3 });
      const weights = Object.fromEntries(Object.entries(own.init([2], 4, createRng(1))).map(([name, { value }]) => [name, value]));
      const [short, long] = [own.logits(weights, tensor2d([[1, 2]])), own.logits(weights, tensor2d([[10, 20]]))];
      expect(short).toBeAllClose(long, { atol: 1e-5 });
      expect(short).toBeWithin(-2, 2);
    });
  });

  it('is the hand-worked cosine over the temperature', () => {
    tidy(() => {
      const weights = { projection: tensor2d([[1, 0], [0, 1]]), embeddings: tensor2d([[1, 0], [1, -3]]), logScale: scalar(Math.log(2)) };
      // x = (3, 4): cos with (1, 1) is 7/(5√2), with (0, -3) is -4/5.
      expect(cosineGate({ dimension: 2 }).logits(weights, tensor2d([[3, 4]]))).toBeAllClose([(2 * 7) / (5 * Math.SQRT2), -1.6], { atol: 1e-5 });
    });
  });
});

describe('routers that let tokens choose', () => {
  it('name the rule that a bad option breaks', () => {
    expect(() => switchRouter({ numExperts: 2, gate, jitter: 2 })).toThrow('switchRouter: jitter must be');
    expect(() => vMoeRouter({ numExperts: 2, gate, topK: 3 })).toThrow('vMoeRouter: topK must be an integer in [1, 2], got 3.');
    expect(() => sigmoidRouter({ numExperts: 4, topK: 1, normalise: true, gate })).toThrow('sigmoidRouter: normalise must be false for topK = 1');
    expect(() => stMoeRouter({ numExperts: 4, gate: undefined as never })).toThrow('stMoeRouter: gate must be a gate network such as gapFc()');
    expect(() => switchRouter({ numExperts: 2, gate }).route({}, tensor2d([[1, 2]]), { training: true })).toThrow('switchRouter: context.rng must be given, because noise is on in training');
  });

  it('state that capacity in evaluation ties the rows of a batch together', () => {
    expect(switchRouter({ numExperts: 2, gate, capacity: { factor: 1 } }).batchInvariant).toBe(true);
    expect(switchRouter({ numExperts: 2, gate, capacity: { factor: 1, evaluationFactor: 2 } }).batchInvariant).toBe(false);
  });

  it('keep state apart from weights that an optimiser moves', () => {
    const router = sigmoidRouter({ numExperts: 2, gate: gapFc() });
    const initial = router.init([3], createRng(1));
    expect(Object.entries(initial).flatMap(([name, { trainable }]) => (trainable ? [] : [name]))).toEqual(['loadBias']);
    const weights = weightsOf(router, [3]);
    const plan = router.route(weights, tensor2d([[1, 2, 3]]), train());
    dispose([planTensors(plan), Object.values(weights), Object.values(initial).map(({ value }) => value)]);
  });
});
