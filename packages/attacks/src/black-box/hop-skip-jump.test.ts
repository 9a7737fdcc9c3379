import { type LogitsFn, createRng } from '@moe/core';
import { type Tensor, type Tensor2D, add, cast, floor, matMul, mul, reshape, tensor, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { describeAttack } from '../testing/describe-attack.js';
import { describeMinimumNormAttack } from '../testing/describe-minimum-norm-attack.js';
import { predictions, tinyNet } from '../testing/models.js';
import { type BlackBoxModel, attackBlackBox } from './attack-black-box.js';
import { estimateNormals } from './estimate-normals.js';
import { hopSkipJump } from './hop-skip-jump.js';
import { runSearch } from './run-search.js';
import { createProblem } from '../internal/problem.js';

for (const norm of ['Linf', 'L2'] as const) {
  describeAttack(`hopSkipJump ${norm}`, ({ eps }) => hopSkipJump({ eps, norm, queries: 700, firstEstimate: 50 }), { norm, loss: 'zero-one', restarts: false, lossOption: false, exact: false });
  describeMinimumNormAttack(`hopSkipJump ${norm}`, ({ eps, effort }) => hopSkipJump({ ...(eps !== undefined && { eps }), norm, queries: 12_000 * effort }), {
    norm,
    tolerance: 0.02,
    boxTolerance: 0.02,
    prefix: true,
    classes: 2,
    models: 1,
    rows: 12,
  });
}

const net = tinyNet(12, 3, 5);
const SHAPE = [4, 2, 2, 3] as const;
const inputs = createRng(4).uniform(4 * 12);
const labels = (): Int32Array => tidy(() => predictions(net, tensor(inputs.slice(), [...SHAPE])));

describe('hopSkipJump', () => {
  it('gives the same on a model that answers with classes alone, within its budget', async () => {
    const attack = hopSkipJump({ norm: 'L2', queries: 300, firstEstimate: 20 });
    const expected = tidy(() => {
      const { adversarial, success, distances } = attack.perturb(net, tensor(inputs.slice(), [...SHAPE]), tensor1d(labels(), 'int32'), { rng: createRng(3) });
      return [adversarial.dataSync(), success.dataSync(), distances].map((values) => Array.from(values));
    });
    let images = 0;
    const classes: BlackBoxModel = async (points, shape) => {
      images += shape[0]!;
      return Float32Array.from(tidy(() => predictions(net, tensor(points, [...shape]))));
    };
    const { adversarial, success, distances, queries } = await attackBlackBox(attack, classes, { inputs, shape: SHAPE, labels: labels(), rng: createRng(3), batchSize: 7 });
    expect([adversarial, success, distances].map((values) => Array.from(values))).toEqual(expected);
    expect(queries.reduce((a, b) => a + b)).toBe(images);
    // What is left does not pay for one more step: its estimate of 20 √(t + 1) points, the jump and at most fourteen halvings.
    expect(Array.from(queries)).toBeWithin(300 - 20 * Math.sqrt(7) - 15, 300);
  });

  it.each([1, 2, 16, 17, 18, 40])('asks no more than %i times', async (budget) => {
    const model: BlackBoxModel = async (points, shape) => Float32Array.from(tidy(() => predictions(net, tensor(points, [...shape]))));
    const { queries } = await attackBlackBox(hopSkipJump({ queries: budget, firstEstimate: 3 }), model, { inputs, shape: SHAPE, labels: labels(), rng: createRng(3) });
    expect(Array.from(queries)).toBeWithin(1, budget);
  });

  it('finds what gradients do not show', () => {
    // A staircase in the brightness of the upper half over the lower: no gradient anywhere.
    const halves = Array.from({ length: 36 }, (_, i) => [i < 18 ? 1 : -1]);
    const model: LogitsFn = (x) => {
      const level = floor(mul(matMul(reshape(x, [x.shape[0]!, 36]) as Tensor2D, tensor2d(halves)), 4));
      return add(matMul(cast(level, 'float32') as Tensor2D, tensor2d([[-1, 1]])), tensor2d([[0.5, -0.5]])) as Tensor2D;
    };
    tidy(() => {
      const { distances, success } = hopSkipJump({ norm: 'L2', queries: 4000 }).perturb(model, tensor(new Float32Array(36).fill(0.5), [1, 6, 6, 1]), tensor1d([0], 'int32'), { rng: createRng(1) });
      // Class 1 wins from level 1 on, at a difference of halves of 1/4: a distance of 1 / (4 √36).
      expect(success).toBeAllClose([1]);
      expect(distances[0]!).toBeWithin(1 / 24, 1.1 / 24);
    });
  });

  it('refuses L1, and budgets of nothing', () => {
    // @ts-expect-error: there is no such attack in L1.
    expect(() => hopSkipJump({ norm: 'L1' })).toThrow("hopSkipJump: norm must be one of 'L2', 'Linf', got 'L1'.");
    expect(() => hopSkipJump({ queries: 0 })).toThrow(/queries must be an integer ≥ 1/);
  });
});

describe('estimateNormals', () => {
  it.each(['L2', 'Linf'] as const)('%s: finds the normal of a plane, better with more points', (norm) => {
    const normal = Array.from(createRng(2).normal(12));
    const length = Math.hypot(...normal);
    // Class 1 leads by <w, x> - <w, 1/2>, whose boundary holds the middle of the box.
    const model = (x: Tensor): Tensor2D => matMul(add(reshape(x, [x.shape[0]!, 12]), -0.5) as Tensor2D, tensor2d(normal.map((w) => [0, w])));
    const cosine = (count: number): number =>
      tidy(() => {
        const middle = new Float32Array(12).fill(0.5);
        const problem = createProblem('test', model, tensor2d(middle, [1, 12]), tensor1d([0], 'int32'), { rng: createRng(1) }, [0, 1]);
        const [found = new Float64Array(12)] = runSearch(problem, estimateNormals(problem, norm, [0, 1], middle, [0], [0.1], 0, count));
        return normal.reduce((total, w, k) => total + (w * found[k]!) / length, 0);
      });
    const [few, many] = [cosine(30), cosine(3000)];
    expect(many).toBeWithin(0.99, 1);
    expect(few).toBeWithin(0.5, many);
  });
});
