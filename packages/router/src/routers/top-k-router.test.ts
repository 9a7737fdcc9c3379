import { createRng } from '@moe/core';
import { type Tensor, type Tensor2D, grad, mul, softmax, sum, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { GOLDEN_GATES, identityGate, logitsOf } from '../internal/testing-fixtures.js';
import { columnEntropyLoss } from '../losses/entropy-loss.js';
import type { Assignment, Plan, RouteContext, SparsePlan } from '../types.js';
import type { TopKRouterOptions } from './top-k-options.js';
import { topKRouter } from './top-k-router.js';

const evaluation: RouteContext = { training: false };
const golden = (): Tensor2D => tensor2d(logitsOf(GOLDEN_GATES));
const make = (options: Partial<TopKRouterOptions> = {}) => topKRouter({ numExperts: 4, gate: identityGate, ...options });
const route = (options: Partial<TopKRouterOptions>, context = evaluation, inputs = golden()): SparsePlan => make(options).route({}, inputs, context) as SparsePlan;
const firstExperts = (plan: Plan): number[] => {
  const weights = plan.combineWeights.arraySync();
  return weights.map((row) => row.findIndex((weight) => weight > 0));
};
const load = ({ expertOffsets }: Assignment): number[] => Array.from(expertOffsets.slice(1), (end, e) => end - expertOffsets[e]!);
const disposePlan = (plan: Plan): void => [plan.gateLogits, plan.gates, plan.combineWeights, plan.auxLoss].forEach((tensor) => tensor.dispose());

describe('topKRouter', () => {
  it('sends each golden row to its best expert with weight exactly 1 for k = 1', () => {
    tidy(() => {
      const plan = route({ topK: 1 });
      expect(plan.gates).toBeAllClose(GOLDEN_GATES.flat());
      expect(firstExperts(plan)).toEqual([0, 0, 1, 3, 0, 0]);
      expect(sum(plan.combineWeights, 1)).toBeAllClose([1, 1, 1, 1, 1, 1], { rtol: 0, atol: 0 });
      expect(Array.from(plan.assignment.tokenOfSlot)).toEqual([0, 1, 4, 5, 2, 3]);
      expect(load(plan.assignment)).toEqual([4, 1, 0, 1]);
      expect(plan.droppedFraction).toBe(0);
      expect(plan.auxLoss).toBeAllClose(0);
    });
  });

  it('renormalises the two chosen gates, the tie of row 2 going to the lowest index', () => {
    tidy(() => {
      const { combineWeights } = route({ topK: 2 });
      // .7/.85, .15/.85; .6/.85, .25/.85; .2/.7, .5/.7; .1/.9, .8/.9; .4/.75, .35/.75; .55/.85, .3/.85
      const expected = [[0.823529, 0, 0.176471, 0], [0.705882, 0.294118, 0, 0], [0.285714, 0.714286, 0, 0], [0, 0, 0.111111, 0.888889], [0.533333, 0.466667, 0, 0], [0.647059, 0, 0.352941, 0]];
      expect(combineWeights).toBeAllClose(expected.flat(), { rtol: 0, atol: 2e-6 });
    });
  });

  it("has the weights of the released code with normalise 'released'", () => {
    tidy(() => {
      const expected = [[0.82352, 0, 0.17647, 0], [0.70587, 0.29411, 0, 0], [0.28571, 0.71428, 0, 0], [0, 0, 0.11111, 0.88888], [0.53333, 0.46666, 0, 0], [0.64705, 0, 0.35294, 0]];
      expect(route({ topK: 2, normalise: 'released' }).combineWeights).toBeAllClose(expected.flat(), { rtol: 0, atol: 1e-5 });
      expect(sum(route({ topK: 2, normalise: 'released' }).combineWeights, 1)).toBeWithin(0.9999, 0.99999);
    });
  });

  it('lets the straight-through gradient reach the chosen gate only', () => {
    tidy(() => {
      const upstream = tensor2d(GOLDEN_GATES.map((_, row) => [1, 2, 3, 4].map((x) => x * (row + 1))));
      const slope = grad((z: Tensor) => sum(mul(make().route({}, z, evaluation).combineWeights, upstream)))(golden());
      // dL/ds = upstream at the chosen expert c, so dL/dz_e = s_c · upstream_c · (1[e = c] - s_e).
      const chosen = [0, 0, 1, 3, 0, 0];
      const expected = GOLDEN_GATES.map((gates, row) => gates.map((gate, e) => gates[chosen[row]!]! * (chosen[row]! + 1) * (row + 1) * ((e === chosen[row] ? 1 : 0) - gate)));
      expect(slope).toBeAllClose(expected.flat(), { atol: 1e-5 });
    });
  });

  it('weighs by the gate itself without straight-through and normalisation', () => {
    tidy(() => {
      const { combineWeights } = route({ topK: 1, straightThrough: false, normalise: 'none' });
      expect(sum(combineWeights, 1)).toBeAllClose([0.7, 0.6, 0.5, 0.8, 0.4, 0.55]);
    });
  });

  it('adds the weighted balance loss, also in evaluation', () => {
    tidy(() => {
      expect(route({ balance: { loss: 'centredSwitchLoss', weight: 0.5 } }).auxLoss).toBeAllClose(0.1944444);
      expect(route({ balance: columnEntropyLoss }).auxLoss).toBeAllClose(-1.316662);
    });
  });

  it('chooses among the allowed experts only, and softmaxes over them', () => {
    tidy(() => {
      const plan = route({ topK: 2 }, { training: false, allowed: [false, true, true, false] });
      expect(plan.gates.arraySync()[0]).toBeAllClose([0, 0.4, 0.6, 0]);
      expect(load(plan.assignment)).toEqual([0, 6, 6, 0]);
      const one = route({ topK: 2 }, { training: false, allowed: [false, false, false, true] });
      expect(one.combineWeights.arraySync()).toEqual(GOLDEN_GATES.map(() => [0, 0, 0, 1]));
    });
  });

  it('keeps hard values under a relaxed gate, and takes the gradient of a softmax over all experts', () => {
    tidy(() => {
      const upstream = tensor2d(GOLDEN_GATES.map(() => [1, -2, 3, 0.5]));
      const context: RouteContext = { training: false, gate: { temperature: 2 } };
      const plan = route({ topK: 2 }, context);
      expect(plan.combineWeights).toBeAllClose(route({ topK: 2 }).combineWeights, { rtol: 0, atol: 0 });
      expect(load(plan.assignment)).toEqual([6, 6, 6, 6]);
      const slope = grad((z: Tensor) => sum(mul(make({ topK: 2 }).route({}, z, context).combineWeights, upstream)))(golden());
      expect(slope).toBeAllClose(grad((z: Tensor) => sum(mul(softmax(mul(z, 0.5)), upstream)))(golden()));
    });
  });

  describe('capacity', () => {
    const training: RouteContext = { training: true };
    it.each([
      [1, [0, 0, 1, 3, 1, 2], [2, 2, 1, 1]],
      [1.5, [0, 0, 1, 3, 1, 0], [3, 2, 0, 1]],
      [2, [0, 0, 1, 3, 1, 0], [3, 2, 0, 1]],
    ])('reassigns rows at factor %d as the released code does', (capacityFactor, experts, loads) => {
      tidy(() => {
        const plan = route({ capacityFactor }, training);
        expect(firstExperts(plan)).toEqual(experts);
        expect(load(plan.assignment)).toEqual(loads);
      });
    });

    it.each([[1, [3, 3, 4, 2]], [1.5, [4, 3, 4, 1]]])('overflows at k = 2 and factor %d rather than drop a row', (capacityFactor, loads) => {
      tidy(() => {
        // Row 2 ties; the released code takes expert 2 there, so expert 2 is lifted a little.
        const inputs = tensor2d(logitsOf(GOLDEN_GATES.map((row, t) => (t === 2 ? [0.2, 0.5, 0.2001, 0.1] : row))));
        expect(load(route({ topK: 2, capacityFactor }, training, inputs).assignment)).toEqual(loads);
      });
    });

    it('is off in evaluation', () => {
      tidy(() => {
        expect(load(route({ capacityFactor: 1 }).assignment)).toEqual([4, 1, 0, 1]);
      });
    });
  });

  describe('noise', () => {
    const uniform = (rows: number): Tensor2D => tensor2d(new Array<number>(rows * 4).fill(0), [rows, 4]);
    it('decides between equal gates, without NaN, in training only', () => {
      tidy(() => {
        const plan = route({ noiseStd: 0.1 }, { training: true, rng: createRng(1) }, uniform(64));
        expect(Math.min(...load(plan.assignment))).toBeGreaterThan(4);
        expect(load(route({ noiseStd: 0.1 }, evaluation, uniform(64)).assignment)).toEqual([64, 0, 0, 0]);
      });
    });

    it('depends on the seed and the row, not on the batch', () => {
      tidy(() => {
        const at = (seed: number, rows: number): number[] => firstExperts(route({ noiseStd: 0.1 }, { training: true, rng: createRng(seed) }, uniform(rows)));
        expect(at(1, 8)).toEqual(at(1, 16).slice(0, 8));
        expect(at(1, 16)).not.toEqual(at(2, 16));
      });
    });

    it('is scaled by the spread of all gates', () => {
      tidy(() => {
        // Divided by their standard deviation, the two gates of a row differ by about 2, far above the noise of 0.1, however close they are.
        const close = tensor2d(Array.from({ length: 32 }, () => [0, 1e-3]));
        const router = topKRouter({ numExperts: 2, gate: identityGate, noiseStd: 0.1 });
        const plan = router.route({}, close, { training: true, rng: createRng(3) }) as SparsePlan;
        expect(load(plan.assignment)).toEqual([0, 32]);
      });
    });
  });

  it('refuses routers that could never learn, and impossible options', () => {
    expect(() => make({ topK: 1, straightThrough: false })).toThrow("topKRouter: normalise must be 'none' for topK = 1 without straightThrough, got 'exact'.");
    expect(() => make({ topK: 2, straightThrough: true })).toThrow('topKRouter: straightThrough must be false for topK > 1, got true.');
    expect(() => make({ topK: 5 })).toThrow('topKRouter: topK must be an integer in [1, 4], got 5.');
    expect(() => make({ capacityFactor: 0 })).toThrow('topKRouter: capacityFactor must be a number > 0, got 0.');
    expect(() => make({ balance: 'switch' as never })).toThrow('topKRouter: balance.loss must be one of');
    expect(() => make({ topk: 1 } as never)).toThrow("topKRouter: unknown option 'topk'. Did you mean 'topK'?");
  });

  it('refuses impossible contexts and NaN, keeping no tensor', () => {
    const inputs = golden();
    const broken = tensor2d([[0, 1, 2, 3], [0, NaN, 0, 0]]);
    const attempt = (rule: string, context: RouteContext, x = inputs): void =>
      expectTensorsKept(0, () => expect(() => make({ noiseStd: 0.1 }).route({}, x, context)).toThrow(rule));
    attempt('topKRouter: context.rng must be given', { training: true });
    attempt('topKRouter: context.allowed must have one entry per expert, 4, got 1.', { training: false, allowed: [true] });
    attempt('topKRouter: context.allowed must allow at least one expert', { training: false, allowed: [false, false, false, false] });
    attempt('topKRouter: context.gate.temperature must be a finite number > 0, got 0.', { training: false, gate: { temperature: 0 } });
    attempt('topKRouter: gates must be finite, got NaN in row 1.', evaluation, broken);
    inputs.dispose();
    broken.dispose();
  });

  it('keeps the four tensors of the plan', () => {
    const inputs = golden();
    disposePlan(expectTensorsKept(4, () => make({ topK: 2, balance: 'entropyLoss' }).route({}, inputs, { training: false, gate: { temperature: 1 } })));
    inputs.dispose();
  });
});
