import { type Scalar, type Tensor, type Tensor1D, type Tensor4D, batchNorm, grad, grads, moments, mul, ones, reshape, sum, square, tensor, tensor1d, tidy, zeros } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { batchNormBatch, batchNormFixed } from './batch-norm.js';
import { convolve } from './convolution.js';

const normal = (seed: number, shape: number[], mean = 0, std = 1): Tensor4D =>
  tensor(createRng(seed).normal(shape.reduce((a, b) => a * b, 1), mean, std), shape as [number, number, number, number]);

/** Convolution by its definition, with p = (k - 1) / 2 zeros on every side. */
function reference(x: Tensor4D, kernel: Tensor4D, stride: number): number[] {
  const [B, H, W, C] = x.shape;
  const [k, , , F] = kernel.shape;
  const p = (k - 1) / 2;
  const values = x.arraySync();
  const weights = kernel.arraySync();
  const out: number[] = [];
  for (let b = 0; b < B; b++) {
    for (let row = 0; row + k <= H + 2 * p; row += stride) {
      for (let column = 0; column + k <= W + 2 * p; column += stride) {
        for (let f = 0; f < F; f++) {
          let total = 0;
          for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) for (let c = 0; c < C; c++) total += (values[b]![row + i - p]?.[column + j - p]?.[c] ?? 0) * weights[i]![j]![c]![f]!;
          out.push(total);
        }
      }
    }
  }
  return out;
}

describe('convolve', () => {
  it.each([
    [3, 1, 6, 5],
    [3, 2, 6, 6],
    [3, 2, 7, 7],
    [3, 2, 6, 7],
    [3, 2, 1, 1],
    [7, 2, 8, 9],
    [1, 2, 6, 5],
    [1, 1, 4, 4],
  ])('is the PyTorch-padded convolution: kernel %i, stride %i, size %i x %i', (k, stride, height, width) => {
    tidy(() => {
      const x = normal(1, [2, height, width, 3]);
      const kernel = normal(2, [k, k, 3, 2]);
      const y = convolve(x, kernel, stride);
      expect(y).toHaveShape([2, Math.ceil(height / stride), Math.ceil(width / stride), 2]);
      expect(y).toBeAllClose(reference(x, kernel, stride), { rtol: 1e-4, atol: 1e-4 });
    });
  });

  it('pads an even size before the axis where tfjs pads after it', () => {
    tidy(() => {
      // Only the last row and column are 1. Windows of 3, stride 2, start at -1 and 1: the second reaches index 3, the first does not.
      const x = tensor([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], [1, 4, 4, 1]) as Tensor4D;
      expect(convolve(x, ones([3, 3, 1, 1]), 2)).toBeAllClose([0, 0, 0, 1]);
    });
  });

  it('has the input gradient of central differences where it pads', () => {
    const x = normal(3, [1, 4, 4, 2]);
    const kernel = normal(4, [3, 3, 2, 2]);
    expectGradient((v) => sum(square(convolve(v as Tensor4D, kernel, 2))) as Scalar, x);
    x.dispose();
    kernel.dispose();
  });
});

describe('batchNormFixed', () => {
  it('is γ(x - mean)/√(var + eps) + β', () => {
    tidy(() => {
      const x = tensor([1, 10, 3, 20, 5, 30, 7, 40], [1, 2, 2, 2]) as Tensor4D;
      const vector = (...values: number[]): Tensor1D => tensor1d(values);
      // Channel 0: 2(x - 1)/2 + 1 = x; channel 1: (x - 10)/5 - 1.
      expect(batchNormFixed(x, vector(2, 1), vector(1, -1), vector(1, 10), vector(4 - 1e-5, 25 - 1e-5), 1e-5)).toBeAllClose([1, -1, 3, 1, 5, 3, 7, 5]);
    });
  });

  it('differentiates to input, scale and shift', () => {
    const x = normal(5, [2, 2, 3, 2]);
    const gamma = tensor1d([1.5, 0.5]);
    const beta = tensor1d([0.1, -0.2]);
    const mean = tensor1d([0.3, 0.2]);
    const variance = tensor1d([1.2, 0.7]);
    expectGradient((v) => sum(square(batchNormFixed(v, gamma, beta, mean, variance, 1e-5))) as Scalar, x);
    expectGradient((v) => sum(square(batchNormFixed(x, v as Tensor1D, beta, mean, variance, 1e-5))) as Scalar, gamma);
    expectGradient((v) => sum(square(batchNormFixed(x, gamma, v as Tensor1D, mean, variance, 1e-5))) as Scalar, beta);
    [x, gamma, beta, mean, variance].forEach((t) => t.dispose());
  });
});

describe('batchNormBatch', () => {
  const ignore = (): void => {};

  it('normalises by the statistics of the batch and reports them', () => {
    tidy(() => {
      // Channel 0: 1, 3, 5, 7 has mean 4, biased variance 5. Channel 1 is constant.
      const x = tensor([1, 2, 3, 2, 5, 2, 7, 2], [2, 1, 2, 2]) as Tensor4D;
      let statistics: number[] = [];
      const y = batchNormBatch(x, tensor1d([2, 1]), tensor1d([1, -1]), 1e-5, (mean, variance, count) => {
        statistics = [...mean.dataSync(), ...variance.dataSync(), count];
      });
      expect(statistics).toBeAllClose([4, 2, 5, 0, 4]);
      const unit = 2 / Math.sqrt(5 + 1e-5);
      expect(y).toBeAllClose([1 - 3 * unit, -1, 1 - unit, -1, 1 + unit, -1, 1 + 3 * unit, -1]);
    });
  });

  it('has the gradients of central differences', () => {
    const x = normal(6, [3, 2, 2, 2], 0.5, 2);
    const weights = normal(7, [3, 2, 2, 2]);
    const gamma = tensor1d([1.5, 0.5]);
    const beta = tensor1d([0.1, -0.2]);
    const loss = (v: Tensor, g: Tensor, b: Tensor): Scalar => sum(mul(square(batchNormBatch(v, g as Tensor1D, b as Tensor1D, 1e-5, ignore)), weights)) as Scalar;
    expectGradient((v) => loss(v, gamma, beta), x);
    expectGradient((v) => loss(x, v, beta), gamma);
    expectGradient((v) => loss(x, gamma, v), beta);
    [x, weights, gamma, beta].forEach((t) => t.dispose());
  });

  it.each([[3], [64]])('agrees with the moments and batchNorm of tfjs at %i channels, gradients included', (channels) => {
    tidy(() => {
      const x = normal(11, [2, 3, 4, channels], 1, 2);
      const gamma = tensor1d(createRng(12).uniform(channels, 0.5, 2));
      const beta = tensor1d(createRng(13).normal(channels));
      const weights = normal(14, [2, 3, 4, channels]);
      const plain = (v: Tensor, g: Tensor, b: Tensor): Tensor => {
        const { mean, variance } = moments(v, [0, 1, 2]);
        return batchNorm(v as Tensor4D, mean as Tensor1D, variance as Tensor1D, b as Tensor1D, g as Tensor1D, 1e-5);
      };
      const fixed = (v: Tensor, g: Tensor, b: Tensor): Tensor => {
        const { mean, variance } = moments(v, [0, 1, 2]);
        return batchNormFixed(v, g as Tensor1D, b as Tensor1D, mean as Tensor1D, variance as Tensor1D, 1e-5);
      };
      const batch = (v: Tensor, g: Tensor, b: Tensor): Tensor => batchNormBatch(v, g as Tensor1D, b as Tensor1D, 1e-5, ignore);
      const slopes = (fn: typeof plain): Tensor[] => grads((v: Tensor, g: Tensor, b: Tensor) => sum(mul(square(fn(v, g, b)), weights)))([x, gamma, beta]);
      const expected = slopes(plain);
      for (const fn of [fixed, batch]) {
        expect(fn(x, gamma, beta)).toBeAllClose(plain(x, gamma, beta), { rtol: 1e-4, atol: 1e-5 });
        slopes(fn).forEach((slope, i) => expect(slope).toBeAllClose(expected[i]!, { rtol: 1e-3, atol: 1e-4 }));
      }
    });
  });

  it('takes rows [B,C] as it takes maps of one pixel', () => {
    tidy(() => {
      const x = normal(15, [6, 1, 1, 3]);
      const weights = normal(16, [6, 1, 1, 3]);
      const [gamma, beta] = [tensor1d([1.5, 0.5, 2]), tensor1d([0.1, -0.2, 0])];
      const all = (shape: number[]): Tensor[] => {
        const y = (v: Tensor, g: Tensor, b: Tensor): Tensor => batchNormBatch(reshape(v, shape), g as Tensor1D, b as Tensor1D, 1e-5, ignore);
        return [y(x, gamma, beta), ...grads((v: Tensor, g: Tensor, b: Tensor) => sum(mul(y(v, g, b), reshape(weights, shape))))([x, gamma, beta])];
      };
      const maps = all([6, 1, 1, 3]);
      expect(all([6, 3])[0]!).toHaveShape([6, 3]);
      all([6, 3]).forEach((t, i) => expect(t).toBeAllClose(maps[i]!));
    });
  });

  it('sends no gradient along a shift or a scaling of the input', () => {
    tidy(() => {
      const x = normal(8, [4, 2, 2, 1]);
      const weights = normal(9, [4, 2, 2, 1]);
      const gradient = grad((v: Tensor) => sum(mul(batchNormBatch(v, ones([1]), zeros([1]), 1e-5, ignore), weights)))(x);
      expect(sum(gradient)).toBeAllClose(0, { atol: 1e-5 });
      expect(sum(mul(gradient, x))).toBeAllClose(0, { atol: 1e-4 });
    });
  });

  it('keeps one tensor forward and one for each gradient', () => {
    const x = normal(10, [2, 2, 2, 3]);
    const gamma = ones([3]) as Tensor1D;
    const beta = zeros([3]) as Tensor1D;
    expectTensorsKept(1, () => batchNormBatch(x, gamma, beta, 1e-5, ignore)).dispose();
    const all = expectTensorsKept(3, () => grads((v: Tensor, g: Tensor, b: Tensor) => sum(batchNormBatch(v, g as Tensor1D, b as Tensor1D, 1e-5, ignore)))([x, gamma, beta]));
    [...all, x, gamma, beta].forEach((t) => t.dispose());
  });
});

