import { createRng } from '@moe/core';
import { type Scalar, type Tensor, type Tensor2D, type Tensor4D, add, conv2d, grad, grads, matMul, mul, square, sum, tensor, tensor2d, tensor3d, tidy, zeros } from '@tensorflow/tfjs-core';
import { ENGINE, expectGradient, expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { assignmentOf } from '../assignment.js';
import { dispatch } from './dispatch.js';
import { identityGate } from '../internal/testing-fixtures.js';
import { topKRouter } from '../routers/top-k-router.js';
import type { Assignment, ExpertFn, SparsePlan } from '../types.js';

const rng = createRng(5);
const normal = (shape: number[], name: string): Tensor => tensor(rng.stream(name).normal(shape.reduce((a, b) => a * b, 1)), shape);
/** Expert of each choice, row by row; -1 for none. */
function assignChoices(choices: readonly number[], perRow: number, numExperts: number): Assignment {
  const chosen = new Uint8Array((choices.length / perRow) * numExperts);
  choices.forEach((expert, i) => expert >= 0 && (chosen[Math.floor(i / perRow) * numExperts + expert] = 1));
  return assignmentOf(chosen, numExperts);
}
const planOf = (choices: number[], perRow: number, weights: number[][]): Pick<SparsePlan, 'combineWeights' | 'assignment'> => ({
  assignment: assignChoices(choices, perRow, weights[0]!.length),
  combineWeights: tensor2d(weights),
});
/** Expert e multiplies by e + 1. */
const scalings = (count: number): ExpertFn[] => Array.from({ length: count }, (_, e) => (rows) => mul(rows, e + 1));

describe('dispatch', () => {
  it('is the hand-worked mixture', () => {
    tidy(() => {
      const plan = planOf([1, 0, 0, 2], 2, [[0.25, 0.75, 0], [0.5, 0, 0.5]]);
      // Row 0: .25·1·x + .75·2·x = 1.75x; row 1: .5·1·x + .5·3·x = 2x.
      expect(dispatch(plan, tensor2d([[4, 8], [1, -3]]), scalings(3))).toBeAllClose([7, 14, 2, -6]);
    });
  });

  it('gives zeros to a row without an expert', () => {
    tidy(() => {
      const plan = planOf([1, -1, 0], 1, [[0, 1], [0, 0], [1, 0]]);
      expect(dispatch(plan, tensor2d([[1], [2], [3]]), scalings(2))).toBeAllClose([2, 0, 3]);
    });
  });

  it('runs T·k rows in all, and calls no expert without rows', () => {
    tidy(() => {
      const calls: [expert: number, rows: number][] = [];
      const experts = Array.from({ length: 5 }, (_, e): ExpertFn => (rows) => {
        calls.push([e, rows.shape[0]!]);
        return add(rows, 0);
      });
      dispatch(planOf([3, 1, 3, 0, 1, 4, 1, 0], 2, Array.from({ length: 4 }, () => [0.2, 0.2, 0.2, 0.2, 0.2])), zeros([4, 2, 2, 3]), experts);
      expect(calls).toEqual([[0, 2], [1, 3], [3, 2], [4, 1]]);
    });
  });

  it('passes rows through unmoved when all go to one expert', () => {
    tidy(() => {
      const rows = normal([3, 2], 'one');
      const seen: Tensor[] = [];
      const watch: ExpertFn = (given) => {
        seen.push(given);
        return mul(given, 1);
      };
      dispatch(planOf([1, 1, 1], 1, [[0, 1], [0, 1], [0, 1]]), rows, [watch, watch]);
      expect(seen).toEqual([rows]);
    });
  });

  describe.each<[string, number, readonly number[]]>([
    ['k = 1', 1, [2, 0, 2, 1, 0, 2]],
    ['k = 2', 2, [2, 0, 0, 1, 2, 1, 1, 0, 0, 2, 2, 1]],
    ['k = 1 with a dropped row', 1, [2, -1, 2, 1, 0, 2]],
    ['k = 2 with dropped choices', 2, [2, 0, 0, -1, 2, 1, -1, -1, 0, 2, 2, 1]],
  ])('%s', (_, perRow, choices) => {
    const assignment = assignChoices(choices, perRow, 4);
    const chosen = Array.from({ length: 6 }, (_, row) => [0, 1, 2, 3].map((e) => (choices.slice(row * perRow, (row + 1) * perRow).includes(e) ? 1 : 0)));

    it('equals the dense mixture in value and in every gradient', () => {
      tidy(() => {
        const upstream = normal([6, 3], 'upstream');
        const inputs = [normal([6, 5], 'rows'), normal([6, 4], 'weights'), ...[0, 1, 2].map((e) => normal([5, 3], `kernel ${e}`))];
        const idle = normal([5, 3], 'kernel of the expert that nobody chose');
        const run = (strategy: 'grouped' | 'static' | 'einsum' | 'dense') => (rows: Tensor, weights: Tensor, ...kernels: Tensor[]): Tensor => {
          const combineWeights = mul(weights, tensor2d(chosen)) as Tensor2D;
          const experts = [...kernels, idle].map((kernel): ExpertFn => (x) => matMul(x as Tensor2D, kernel as Tensor2D));
          return sum(mul(dispatch({ assignment, combineWeights }, rows, experts, { strategy }), upstream));
        };
        const args = inputs as [Tensor, Tensor, ...Tensor[]];
        const dense = grads(run('dense'))(inputs);
        for (const strategy of ['grouped', 'static', 'einsum'] as const) {
          expect(run(strategy)(...args), strategy).toBeAllClose(run('dense')(...args), { atol: 1e-5 });
          grads(run(strategy))(inputs).forEach((slope, i) => expect(slope, `${strategy}, argument ${i}`).toBeAllClose(dense[i]!, { atol: 1e-5 }));
        }
      });
    });
  });

  it.each(['static', 'einsum'] as const)('gives %s buffers to the first rows of an expert, and loses the rest', (strategy) => {
    tidy(() => {
      const combineWeights = tensor2d([[0, 1], [0, 0.5], [1, 0], [0, 1]]);
      const rows = tensor2d([[1], [2], [3], [4]]);
      // Expert 1 has rows 0, 1 and 3, and room for two.
      expect(dispatch({ combineWeights }, rows, scalings(2), { strategy, capacity: 2 })).toBeAllClose([2, 2, 3, 0]);
      expect(dispatch({ combineWeights }, rows, scalings(2), { strategy, capacity: 3 })).toBeAllClose([2, 2, 3, 8]);
    });
  });

  it('runs experts on the slots of a soft plan, and mixes their outputs', () => {
    tidy(() => {
      // One example of two rows; one slot for each of two experts: the mean of the rows, and the second row alone.
      const slots = { dispatch: tensor3d([[[0.5, 0], [0.5, 1]]]), combine: tensor3d([[[1, 0], [0.25, 0.75]]]) };
      const outputs = dispatch({ combineWeights: tensor2d([[1, 0], [0.25, 0.75]]), slots }, tensor2d([[2, 0], [4, 8]]), scalings(2));
      // Slots (3, 4) and (4, 8); experts give (3, 4) and (8, 16); row 1 is .25·(3, 4) + .75·(8, 16).
      expect(outputs).toBeAllClose([3, 4, 6.75, 13]);
    });
  });

  it('keeps the examples of a soft plan apart', () => {
    tidy(() => {
      const slots = { dispatch: tensor3d([[[1]], [[2]]]), combine: tensor3d([[[1]], [[1]]]) };
      expect(dispatch({ combineWeights: tensor2d([[1], [1]]), slots }, tensor2d([[5], [7]]), [(x) => mul(x, 10)])).toBeAllClose([50, 140]);
    });
  });

  it('has second derivatives', () => {
    tidy(() => {
      const { assignment, combineWeights } = planOf([1, 0, 1], 1, [[0, 1], [1, 0], [0, 1]]);
      const cube: ExpertFn = (x) => mul(square(x), x);
      const experts: ExpertFn[] = [cube, (x) => mul(cube(x), 2)];
      const first = (x: Tensor): Tensor => grad((v: Tensor) => sum(dispatch({ assignment, combineWeights }, v, experts)))(x);
      // Expert 0: x³ → 6x; expert 1: 2x³ → 12x.
      expect(grad((x: Tensor) => sum(first(x)))(tensor2d([[1], [2], [3]]))).toBeAllClose([12, 12, 36]);
    });
  });

  it('needs no gradient from an expert that ignores its rows', () => {
    tidy(() => {
      const plan = planOf([1, 0, 1], 1, [[0, 1], [1, 0], [0, 1]]);
      const constant: ExpertFn = (x) => zeros(x.shape);
      const slope = grad((x: Tensor) => sum(dispatch(plan, x, [constant, (r) => mul(r, 5)])))(tensor2d([[1], [2], [3]]));
      expect(slope).toBeAllClose([5, 0, 5]);
    });
  });

  it('has the gradient of central differences in rows and combine weights, for images', () => {
    const { assignment, combineWeights } = planOf([1, 0, 0, 1, 1, 0], 2, [[0.4, 0.6], [0.7, 0.3], [0.5, 0.5]]);
    const images = normal([3, 2, 2, 1], 'images');
    const experts: ExpertFn[] = [(x) => square(x), (x) => mul(x, -2)];
    expectGradient((x) => sum(square(dispatch({ assignment, combineWeights }, x, experts))) as Scalar, images);
    expectGradient((w) => sum(square(dispatch({ assignment, combineWeights: w as Tensor2D }, images, experts))) as Scalar, combineWeights);
    combineWeights.dispose();
    images.dispose();
  });

  it('gives the gate ⟨dL/dy, f(x)⟩ through a weight that is exactly 1', () => {
    tidy(() => {
      const router = topKRouter({ numExperts: 2, gate: identityGate });
      const logits = tensor2d([[0.2, 0.1], [-1, 1]]);
      const rows = tensor2d([[1, 2], [3, -1]]);
      const loss = (z: Tensor): Tensor => sum(dispatch(router.route({}, z, { training: false }), rows, scalings(2)));
      // Chosen 0 and 1; ⟨1, f⟩ = 1·(1+2) = 3 and 2·(3-1) = 4; s = σ(.1) = .524979 and σ(2) = .880797; dL/dz_c = ⟨⟩ · s(1-s).
      const up = [3 * 0.524979 * 0.475021, 4 * 0.880797 * 0.119203];
      expect(grad(loss)(logits)).toBeAllClose([up[0]!, -up[0]!, -up[1]!, up[1]!], { atol: 1e-5 });
    });
  });

  // Filter gradients on stock wasm come with @moe/backend.
  it.runIf(ENGINE === 'cpu')('differentiates convolution experts that change the shape of a row', () => {
    const plan = planOf([1, 0, 1], 1, [[0, 1], [1, 0], [0, 1]]);
    const images = normal([3, 4, 4, 1], 'conv') as Tensor4D;
    const other = normal([2, 2, 1, 2], 'filter 0') as Tensor4D;
    const filter = normal([2, 2, 1, 2], 'filter 1') as Tensor4D;
    const run = (f: Tensor): Tensor => dispatch(plan, images, [other, f as Tensor4D].map((k): ExpertFn => (x) => conv2d(x as Tensor4D, k, 2, 'same')));
    expectGradient((f) => tidy(() => sum(square(run(f)))) as Scalar, filter);
    tidy(() => {
      expect(run(filter)).toHaveShape([3, 2, 2, 2]);
    });
    [plan.combineWeights, images, other, filter].forEach((t) => t.dispose());
  });

  it('keeps one tensor, and none when an expert throws', () => {
    const plan = planOf([1, 0, 1], 1, [[0, 1], [1, 0], [0, 1]]);
    const rows = normal([3, 2], 'leaks');
    expectTensorsKept(1, () => dispatch(plan, rows, scalings(2))).dispose();
    expectTensorsKept(0, () => {
      const failing: ExpertFn[] = [(x) => mul(x, 2), (x) => sum(mul(x, 1))];
      expect(() => dispatch(plan, rows, failing)).toThrow('dispatch: experts[1] must keep its 2 rows, got [].');
    });
    rows.dispose();
    plan.combineWeights.dispose();
  });

  it('refuses a plan for other rows or experts', () => {
    tidy(() => {
      const plan = planOf([1, 0], 1, [[0, 1], [1, 0]]);
      expect(() => dispatch(plan, zeros([3, 2]), scalings(2))).toThrow("dispatch: rows must have the plan's 2 rows, at least 1, got [3, 2].");
      expect(() => dispatch(plan, zeros([2, 2]), scalings(3))).toThrow("dispatch: experts must be the plan's 2, got 3.");
      const mixed: ExpertFn[] = [(x) => mul(x, 2), (x) => sum(x, 1)];
      expect(() => dispatch({ combineWeights: plan.combineWeights }, zeros([2, 2]), scalings(2), { strategy: 'grouped' })).toThrow("dispatch: strategy must be 'static' for a plan that was made on the device, got 'grouped'.");
      expect(() => dispatch(plan, zeros([2, 2]), scalings(2), { strategy: 'static', capacity: 3 })).toThrow('dispatch: capacity must be an integer in [1, 2], got 3.');
      expect(() => dispatch(plan, zeros([2, 2]), mixed)).toThrow('dispatch: output of expert 1 must have shape [*,2], got [1].');
    });
  });
});
