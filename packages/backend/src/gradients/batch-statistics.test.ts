// Batch norm with the statistics of the batch, as tfjs' layers write it.
import { type Tensor, type Tensor1D, type Tensor4D, add, batchNorm, customGrad, grad, grads, memory, moments, mul, square, sub, sum, tensor, tidy } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';

const EPS = 1e-3;
const normals = (shape: number[], seed: number): Tensor => tensor(createRng(seed).normal(shape.reduce((a, b) => a * b, 1)), shape);

type Arguments = [x: Tensor, scale: Tensor, offset: Tensor];

/** The layer's form. */
function normalize(x: Tensor, scale: Tensor, offset: Tensor): Tensor {
  const { mean, variance } = moments(x, x.shape.slice(1).map((_, axis) => axis));
  return batchNorm(x as Tensor4D, mean as Tensor1D, variance as Tensor1D, offset as Tensor1D, scale as Tensor1D, EPS);
}

/** Gradients of `Σ w·normalize(x)` in double precision, straight from the chain rule through mean and variance. */
function reference(x: Tensor, scale: Tensor, weights: Tensor): number[][] {
  const [values, gamma, w] = [x, scale, weights].map((t) => Array.from(t.dataSync())) as [number[], number[], number[]];
  const channels = gamma.length;
  const dx = new Array<number>(values.length).fill(0);
  const [dScale, dOffset] = [new Array<number>(channels).fill(0), new Array<number>(channels).fill(0)];
  for (let c = 0; c < channels; c++) {
    const at = values.map((_, i) => i).filter((i) => i % channels === c);
    const n = at.length;
    const mean = at.reduce((total, i) => total + values[i]!, 0) / n;
    const variance = at.reduce((total, i) => total + (values[i]! - mean) ** 2, 0) / n;
    const inverse = 1 / Math.sqrt(variance + EPS);
    let [dMean, dVariance] = [0, 0];
    for (const i of at) {
      dScale[c]! += w[i]! * (values[i]! - mean) * inverse;
      dOffset[c]! += w[i]!;
      dMean -= w[i]! * gamma[c]! * inverse;
      dVariance -= 0.5 * w[i]! * gamma[c]! * (values[i]! - mean) * inverse ** 3;
    }
    for (const i of at) dx[i] = w[i]! * gamma[c]! * inverse + dMean / n + (dVariance * 2 * (values[i]! - mean)) / n;
  }
  return [dx, dScale, dOffset];
}

describe('gradient of batch norm with the statistics of the batch', () => {
  it.each([[[3, 4, 5, 6]], [[7, 5]], [[4, 3, 2]], [[4, 4, 4, 4]], [[2, 1, 1, 70]]])('is that of the chain rule in double precision: %j', (shape) => {
    tidy(() => {
      const channels = shape.at(-1)!;
      const [x, scale, offset, weights] = [add(mul(normals(shape, 1), 2), 0.5), normals([channels], 2), normals([channels], 3), normals(shape, 4)];
      const found = grads((...all: Tensor[]) => sum(mul(normalize(...(all as Arguments)), weights)))([x, scale, offset]);
      reference(x, scale, weights).forEach((expected, i) => expect(found[i]!).toBeAllClose(expected, { rtol: 1e-4, atol: 2e-5 }));
    });
  });

  it.each([0, 1, 2])('can be differentiated again, in argument %i', (at) => {
    tidy(() => {
      const all = [normals([3, 2, 2, 2], 1), normals([2], 2), normals([2], 3)];
      const weights = normals([3, 2, 2, 2], 4);
      const slope = (...of: Tensor[]): Tensor => grad((u: Tensor) => sum(mul(square(normalize(u, of[1]!, of[2]!)), weights)))(of[0]!);
      expectGradient((t) => sum(mul(slope(...all.map((input, i) => (i === at ? t : input))), weights)), all[at]!, { rtol: 2e-2, atol: 5e-3 });
    });
  });

  it('leaves a mean alone that is also used elsewhere', () => {
    tidy(() => {
      const [x, scale, offset] = [normals([3, 2, 2, 2], 1), normals([2], 2), normals([2], 3)];
      expectGradient((t) => {
        const { mean, variance } = moments(t, [0, 1, 2]);
        const y = batchNorm(t as Tensor4D, mean as Tensor1D, variance as Tensor1D, offset as Tensor1D, scale as Tensor1D, EPS);
        return add(sum(square(y)), sum(mul(square(mean), add(variance, 1))));
      }, x);
    });
  });

  it.each<[string, (x: Tensor) => { mean: Tensor; variance: Tensor }]>([
    ['moments of something else', (x) => moments(square(x), [0, 1, 2])],
    ['moments over other axes', (x) => moments(x, [1, 2, 3])],
    ['a variance about another centre', (x) => ({ mean: moments(x, [0, 1, 2]).mean, variance: moments(sub(x, square(x)), [0, 1, 2]).variance })],
  ])('is not mistaken for that of %s', (_name, statistics) => {
    tidy(() => {
      const [scale, offset, weights] = [normals([3], 2), normals([3], 3), normals([3, 3, 3, 3], 4)];
      expectGradient((t) => {
        const { mean, variance } = statistics(t);
        return sum(mul(batchNorm(t as Tensor4D, mean as Tensor1D, variance as Tensor1D, offset as Tensor1D, scale as Tensor1D, EPS), weights));
      }, normals([3, 3, 3, 3], 1));
    });
  });

  it('does not follow the statistics where they are constants', () => {
    tidy(() => {
      const [x, scale, offset, weights] = [normals([3, 2, 2, 2], 1), tensor([1, 2]), tensor([0, 1]), normals([3, 2, 2, 2], 4)];
      const { mean, variance } = moments(x, [0, 1, 2]);
      const held = grad((t: Tensor) => sum(mul(batchNorm(t as Tensor4D, mean as Tensor1D, variance as Tensor1D, offset as Tensor1D, scale as Tensor1D, EPS), weights)))(x);
      const rows = Array.from(weights.dataSync());
      const [v, s] = [variance.dataSync(), scale.dataSync()];
      expect(held).toBeAllClose(rows.map((w, i) => (w * s[i % 2]!) / Math.sqrt(v[i % 2]! + EPS)));
    });
  });

  it('takes part in gradients of its own making', () => {
    tidy(() => {
      const doubled = customGrad((t) => ({ value: mul(t as Tensor, 2), gradFunc: (dy: Tensor) => mul(dy, 2) }));
      const [scale, offset, weights] = [tensor([1, 2]), tensor([0, 1]), normals([3, 2, 2, 2], 4)];
      expectGradient((t) => sum(mul(normalize(doubled(t), scale, offset), weights)), normals([3, 2, 2, 2], 1));
    });
  });

  it('keeps nothing but the gradients', () => {
    const all = [normals([3, 2, 2, 2], 1), normals([2], 2), normals([2], 3)];
    const before = memory().numBytes;
    const found = expectTensorsKept(3, () => grads((...of: Tensor[]) => sum(square(normalize(...(of as Arguments)))))(all));
    found.forEach((t) => t.dispose());
    expect(memory().numBytes).toBe(before);
    all.forEach((t) => t.dispose());
  });
});
