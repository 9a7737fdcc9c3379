import { createRng } from '@moe/core';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { type Scalar, type Tensor, type Tensor4D, add, clone, conv2d, dispose, div, keep, mean, moments, mul, slice, sqrt, square, sub, sum, tensor, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { topKRouter } from '../routers/top-k-router.js';
import { describeRouter } from '../testing/index.js';
import type { GateNetwork, GateStatistics, Weights } from '../types.js';
import { doubleConvGap } from './double-conv-gap.js';
import { gateScores } from './gate-scores.js';

const SHAPE = [6, 5, 3];
const images = (count = 4): Tensor => tensor(createRng(5).normal(count * 90), [count, ...SHAPE]);
/** Weights with statistics and scales that are not those of the start. */
function weightsOf(gate: GateNetwork): Record<string, Tensor> {
  const initial = Object.entries(gate.init(SHAPE, 2, createRng(3)));
  return Object.fromEntries(initial.map(([name, { value }]) => [name, name.startsWith('bn/') ? tidy(() => add(value, createRng(4).stream(name).uniform(value.size, 0.1, 1))) : value]));
}
const convolved = (weights: Weights, x: Tensor): Tensor => conv2d(x as Tensor4D, weights['conv/kernel'] as Tensor4D, 1, 'valid');
/** GAP(conv(BN(conv(x)))), word for word. */
const reference = (weights: Weights, x: Tensor, average: Tensor, variance: Tensor): Tensor => {
  const normed = add(mul(div(sub(convolved(weights, x), average), sqrt(add(variance, 1e-5))), weights['bn/gamma']!), weights['bn/beta']!);
  return mean(conv2d(normed as Tensor4D, weights['kernel'] as Tensor4D, 1, 'valid'), [1, 2]);
};

for (const kernel of [1, 3] as const) {
  describeRouter(`topKRouter with doubleConvGap({ kernel: ${kernel} })`, (numExperts, topK) => topKRouter({ numExperts, topK, gate: doubleConvGap({ kernel }), balance: 'switchLoss' }), {
    rowShape: [5, 5, 3],
    topK: [1, 2],
    onDevice: true,
  });

  describe(`doubleConvGap({ kernel: ${kernel} })`, () => {
    const gate = doubleConvGap({ kernel });

    it('equals its definition with running statistics in evaluation and those of the batch in training', () => {
      tidy(() => {
        const weights = weightsOf(gate);
        const x = images();
        expect(gate.logits(weights, x)).toBeAllClose(reference(weights, x, weights['bn/movingMean']!, weights['bn/movingVariance']!), { rtol: 1e-4, atol: 1e-5 });
        const { mean: average, variance } = moments(convolved(weights, x), [0, 1, 2]);
        const trained = gate.logits(weights, x, { training: true });
        expect(trained).toBeAllClose(reference(weights, x, average, variance), { rtol: 1e-4, atol: 1e-5 });
        expect(trained).not.toBeAllClose(gate.logits(weights, x), { rtol: 1e-2 });
      });
    });

    it('moves running statistics by a tenth, with the unbiased variance', () => {
      tidy(() => {
        const weights = weightsOf(gate);
        const { mean: average, variance } = moments(convolved(weights, images()), [0, 1, 2]);
        const { updates } = gateScores(gate, weights, images(), { training: true });
        const count = 4 * (6 - kernel + 1) * (5 - kernel + 1);
        expect(Object.keys(updates).sort()).toEqual(['bn/movingMean', 'bn/movingVariance']);
        expect(updates['bn/movingMean']!).toBeAllClose(add(mul(weights['bn/movingMean']!, 0.9), mul(average, 0.1)), { rtol: 1e-4, atol: 1e-6 });
        expect(updates['bn/movingVariance']!).toBeAllClose(add(mul(weights['bn/movingVariance']!, 0.9), mul(variance, (0.1 * count) / (count - 1))), { rtol: 1e-4, atol: 1e-6 });
        expect(gateScores(gate, weights, images(), { training: false }).updates).toEqual({});
      });
    });

    it('takes statistics of rows that count alone, and none if no row does', () => {
      tidy(() => {
        const weights = weightsOf(gate);
        const mask = [true, false, true, false];
        const two = tensor([...slice(images(), 0, 1).dataSync(), ...slice(images(), 2, 1).dataSync()], [2, ...SHAPE]);
        const seen: GateStatistics[] = [];
        const observeStatistics = (name: string, { mean: average, variance, ...rest }: GateStatistics): void => {
          expect(name).toBe('bn');
          seen.push({ ...rest, mean: keep(clone(average)), variance: keep(clone(variance)) });
        };
        gate.logits(weights, images(), { training: false, mask, observeStatistics });
        gate.logits(weights, two, { training: false, observeStatistics });
        expect([seen[0]!.count, seen[0]!.rows]).toEqual([seen[1]!.count, 2]);
        expect(seen[0]!.mean).toBeAllClose(seen[1]!.mean, { rtol: 1e-4, atol: 1e-5 });
        expect(seen[0]!.variance).toBeAllClose(seen[1]!.variance, { rtol: 1e-4, atol: 1e-5 });
        const { gateLogits, updates } = gateScores(gate, weights, images(), { training: true, mask: [false, false, false, false] });
        expect(updates).toEqual({});
        expect(gateLogits).toBeAllClose(gate.logits(weights, images()), { rtol: 1e-4, atol: 1e-5 });
        dispose(seen.flatMap((each) => [each.mean, each.variance]));
      });
    });

    it('has the gradient of central differences, through the statistics of the batch too', () => {
      const weights = weightsOf(gate);
      const x = images(2);
      for (const training of [false, true]) {
        const loss = (input: Tensor, own: Weights): Scalar => sum(square(gate.logits(own, input, { training }))) as Scalar;
        expectGradient((t) => loss(t, weights), x);
        for (const name of ['conv/kernel', 'bn/gamma', 'kernel']) expectGradient((t) => loss(x, { ...weights, [name]: t }), weights[name]!, { step: 2e-3 });
      }
      dispose([x, ...Object.values(weights)]);
    });

    it('keeps one tensor in evaluation and three in training', () => {
      const weights = weightsOf(gate);
      const x = images();
      expectTensorsKept(1, () => gate.logits(weights, x)).dispose();
      const { gateLogits, updates } = expectTensorsKept(3, () => tidy(() => ({ ...gateScores(gate, weights, x, { training: true }) })));
      dispose([gateLogits, x, ...Object.values(updates), ...Object.values(weights)]);
    });
  });
}

describe('doubleConvGap', () => {
  it.each([[1], [3]] as const)('has k²F(C + E) + 2F parameters for k = %i', (kernel) => {
    tidy(() => {
      const initial = Object.values(doubleConvGap({ kernel }).init(SHAPE, 2, createRng(1)));
      const size = (trainable: boolean): number => initial.filter((weight) => weight.trainable === trainable).reduce((total, { value }) => total + value.size, 0);
      expect(size(true)).toBe(kernel * kernel * 8 * (3 + 2) + 16);
      expect(size(false)).toBe(16);
    });
  });

  it('refuses other options, missing weights and small images', () => {
    expect(() => doubleConvGap({ kernel: 5 as never })).toThrow('doubleConvGap: kernel must be one of 1, 3, got 5.');
    expect(() => doubleConvGap({ features: 0 })).toThrow('doubleConvGap: features must be an integer ≥ 1, got 0.');
    tidy(() => {
      const gate = doubleConvGap({ kernel: 3 });
      expect(() => gate.logits({}, images())).toThrow('doubleConvGap: weights must hold conv/kernel, kernel, bn/gamma');
      expect(() => gate.logits(weightsOf(gate), slice(images() as Tensor4D, 0, [4, 4, 5, 3]))).toThrow('doubleConvGap: inputs must be at least 5 × 5 pixels, got [4, 4, 5, 3].');
    });
  });
});
