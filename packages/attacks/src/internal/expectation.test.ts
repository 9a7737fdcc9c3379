import { type Tensor, type Tensor2D, add, dispose, mul, reshape, sum, tensor, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { type LogitsFn, createRng } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { apgd } from '../apgd.js';
import { ceRow } from '../losses/ce-loss.js';
import { cwRow } from '../losses/cw-loss.js';
import { pgd } from '../pgd.js';
import { square } from '../square.js';
import { counted, predictions, tinyNet } from '../testing/models.js';
import { measure } from './measure.js';
import { createProblem } from './problem.js';

const flat = (x: Tensor): Tensor2D => reshape(x, [x.shape[0]!, x.size / x.shape[0]!]);

/** Logits (0, Σ (1 + ξ_k) x_k - bias) with normal ξ, the same for all rows of a pass. */
function noisyPlane(size: number, bias: number): LogitsFn {
  return (x, draw) => {
    const slopes = draw!.rng.normal(size, 1, 1);
    const lead = sum(mul(flat(x), tensor1d(slopes)), 1, true);
    return mul(add(lead, -bias), [[0, 1]]) as Tensor2D;
  };
}

function problemOf(model: LogitsFn, inputs: number[][], labels: number[], draws: number) {
  const [x, y] = [tensor2d(inputs), tensor1d(labels, 'int32')];
  const problem = createProblem('pgd', model, x, y, { rng: createRng(1), draws }, [0, 1]);
  dispose([x, y]);
  return problem;
}

describe('draws of a randomised model', () => {
  it('make the variance of a gradient fall as one over their number', () => {
    const variance = (draws: number): number => {
      const problem = problemOf(noisyPlane(8, 9), [new Array(8).fill(0.5)], [0], draws);
      const gradients = Array.from({ length: 400 }, () => measure(problem, cwRow, problem.inputs, [0], true).gradient!);
      const all = gradients.flatMap((gradient) => Array.from(gradient));
      return all.reduce((total, value) => total + (value - 1) ** 2, 0) / all.length;
    };
    // The variance of the slopes is 1; 3,200 values have it to 3 %.
    for (const draws of [1, 4, 16]) expect(variance(draws) * draws).toBeWithin(0.85, 1.15);
  });

  it('give the gradient of the mean loss, each draw with the weight of its own slope', () => {
    // Two draws of the cross entropy: slopes a and b, gaps a/2 - 1 and b/2 - 1.
    const problem = problemOf(noisyPlane(1, 1), [[0.5]], [0], 2);
    const { gradient, scale, loss } = measure(problem, ceRow, problem.inputs, [0], true);
    const slopes = [0, 1].map((draw) => createRng(1).stream('pgd').stream('noise').at(0, draw).normal(1, 1, 1)[0]!);
    const odds = slopes.map((slope) => Math.exp(slope / 2 - 1));
    const expected = slopes.reduce((total, slope, i) => total + (slope * odds[i]!) / (1 + odds[i]!) / 2, 0);
    expect([gradient![0]! * scale[0]!]).toBeAllClose([expected], { rtol: 1e-5 });
    expect(Array.from(loss)).toBeAllClose([(Math.log(1 + odds[0]!) + Math.log(1 + odds[1]!)) / 2], { rtol: 1e-5 });
  });

  it('decide by majority, as often as the binomial distribution says', () => {
    // A row is wrong in a draw with probability 0.3, so in more than half of 5 with 0.3⁵ + 5 · 0.3⁴ · 0.7 + 10 · 0.3³ · 0.7² = 0.163.
    const flips: LogitsFn = (x, draw) => {
      const lead = tensor2d(Array.from({ length: x.shape[0]! }, (_, i) => (draw!.rng.at(draw!.exampleIds[i]!).uniform(1)[0]! < 0.3 ? 1 : -1)), [x.shape[0]!, 1]);
      return add(mul(lead, [[0, 1]]), mul(sum(flat(x), 1, true), 0)) as Tensor2D;
    };
    const rows = 4000;
    const problem = problemOf(flips, Array.from({ length: rows }, () => [0.5]), new Array(rows).fill(0), 5);
    const { wrong } = measure(problem, cwRow, problem.inputs, Array.from({ length: rows }, (_, row) => row), false);
    expect(wrong.reduce((a, b) => a + b, 0) / rows).toBeWithin(0.163 - 0.018, 0.163 + 0.018); // three standard deviations
  });

  it('cost as many passes each, all of one step alike for every row', () => {
    const net = tinyNet(6, 3, 1);
    const x = tensor2d(createRng(2).uniform(12), [2, 6]);
    const labels = tensor1d(predictions(net, x), 'int32');
    const { counts, wrapped } = counted(net);
    tidy(() => void pgd({ eps: 1e-4, steps: 5 }).perturb(wrapped, x, labels, { rng: createRng(1), draws: 3 }));
    expect(counts).toMatchObject({ forward: 21, backward: 15 });
  });

  it.each([
    ['pgd', pgd({ eps: 0.1, steps: 6, restarts: 2 })],
    ['apgd', apgd({ eps: 0.1, steps: 8, restarts: 2 })],
    ['square', square({ eps: 0.1, queries: 30 })],
  ])('give %s the same result for a row in any batch', (_, attack) => {
    const net = tinyNet(6, 3, 7);
    // Noise on the input, the same for all rows, and noise of each row's own on its logits.
    const noisy: LogitsFn = (x, draw) => {
      const own = Array.from({ length: x.shape[0]! }, (__, i) => Array.from(draw!.rng.at(draw!.exampleIds[i]!).normal(3, 0, 0.1)));
      return add(net(add(flat(x), tensor1d(draw!.rng.normal(6, 0, 0.02)))), tensor2d(own)) as Tensor2D;
    };
    const images = createRng(3).uniform(60);
    const labels = tidy(() => predictions(net, tensor(images, [10, 6])));
    const run = (rows: readonly number[]) =>
      tidy(() => {
        const x = tensor2d(rows.flatMap((row) => Array.from(images.subarray(6 * row, 6 * row + 6))), [rows.length, 6]);
        const { adversarial, success } = attack.perturb(noisy, x, tensor1d(rows.map((row) => labels[row]!), 'int32'), { rng: createRng(1), exampleIds: rows, draws: 3 });
        return rows.map((__, i) => [...adversarial.dataSync().slice(6 * i, 6 * i + 6), success.dataSync()[i]!]);
      });
    const whole = run(Array.from({ length: 10 }, (__, row) => row));
    for (const rows of [[4], [9, 2, 5], [7, 6, 5, 4, 3, 2, 1, 0]]) expect(run(rows)).toEqual(rows.map((row) => whole[row]));
    expect(new Set(whole.map((row) => row.at(-1)))).toEqual(new Set([0, 1]));
  });

  it('are refused for compiled passes, which have no noise, and must be a number', () => {
    const x = tensor2d([[0.5, 0.5, 0.5, 0.5, 0.5, 0.5]]);
    const labels = tensor1d([0], 'int32');
    const perturb = (draws: number) => expectTensorsKept(0, () => void pgd({ eps: 0.1, compile: (fn) => fn }).perturb(tinyNet(6, 3, 1), x, labels, { rng: createRng(1), draws }));
    expect(() => perturb(2)).toThrow('pgd: draws must be 1 for compiled passes, got 2. They have no noise: leave out compile.');
    expect(() => perturb(0)).toThrow(/draws must be an integer ≥ 1/);
  });
});
