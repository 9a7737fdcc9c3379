import { createRng } from '@moe/core';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { type Scalar, type Tensor, type Tensor2D, type Tensor4D, add, matMul, mul, sub, tensor, tensor1d, tensor2d, tidy, train, variable } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { certifiedRadius } from '../certificate/certified-radius.js';
import { affineScores } from '../moe/affine-scores.js';
import { routeRadius } from '../moe/route-radius.js';
import { convSpatialGramBound } from '../spectral/conv-spatial-gram-bound.js';
import { denseSpectralNorm } from '../spectral/dense-spectral-norm.js';
import { disagreementPenalty } from './disagreement-penalty.js';
import { gramNorm } from './gram-norm.js';
import { gramPenalty } from './gram-penalty.js';
import { marginPenalty } from './margin-penalty.js';
import { routePenalty } from './route-penalty.js';

const normal = (seed: number, shape: number[], std = 1): Tensor => tensor(createRng(seed).normal(shape.reduce((a, b) => a * b, 1), 0, std), shape);
const value = (make: () => Scalar): number => tidy(() => make().dataSync()[0]!);

/** Value of a penalty after some steps of plain descent on its one weight. */
function descended(start: Tensor, penalty: (weight: Tensor) => Scalar, rate: number): [before: number, after: number] {
  const weight = variable(start);
  const optimizer = train.sgd(rate);
  const loss = (): Scalar => tidy(() => penalty(weight));
  try {
    const before = value(loss);
    for (let step = 0; step < 8; step++) optimizer.minimize(loss, false, [weight]);
    return [before, value(loss)];
  } finally {
    weight.dispose();
    start.dispose();
    optimizer.dispose();
  }
}

/** Central differences where the value is smooth, one tensor kept, and less after training. */
function expectTrains(start: Tensor, penalty: (weight: Tensor) => Scalar, { rate, factor }: { rate: number; factor: number }): void {
  expectGradient(penalty, start, { step: 1e-3, rtol: 0.02, atol: 3e-3 });
  expectTensorsKept(1, () => penalty(start)).dispose();
  const [before, after] = descended(start, penalty, rate);
  expect(before).toBeGreaterThan(0);
  expect(after).toBeLessThan(before * factor);
}

describe('gramPenalty', () => {
  it('is ‖KᵀK − I‖² by hand, over offsets for a convolution, and 0 for orthonormal kernels', () => {
    tidy(() => {
      // KᵀK = [[1, 2], [2, 5]].
      expect(gramPenalty(tensor2d([[1, 2], [0, 1]]))).toBeAllClose(0 + 4 + 4 + 16);
      // Two taps of 1 in a row overlap at offsets −1, 0, 1 with 1, 2, 1.
      const taps = tensor([1, 1, 0, 0], [2, 2, 1, 1]) as Tensor4D;
      expect(gramPenalty(taps)).toBeAllClose(1 + 1 + 1);
      expect(gramPenalty(taps, { strides: 2 })).toBeAllClose(1);
      expect(gramPenalty(tensor2d([[0, 1, 0], [1, 0, 0]]))).toBeAllClose(0);
    });
  });

  it('trains', () => {
    expectTrains(normal(1, [4, 3], 0.7), (kernel) => gramPenalty(kernel as Tensor2D), { rate: 0.03, factor: 0.3 });
    expectTrains(normal(1, [3, 3, 2, 2], 0.3), (kernel) => gramPenalty(kernel as Tensor4D), { rate: 0.03, factor: 0.5 });
  });

  it('refuses kernels of other ranks and unknown options', () => {
    expect(() => gramPenalty(tidy(() => tensor1d([1])) as never)).toThrow('gramPenalty: kernel must have shape [in,out] or [kh,kw,in,out], got [1].');
    expect(() => gramPenalty(null as never, { stride: 2 } as never)).toThrow("gramPenalty: unknown option 'stride'. Did you mean 'strides'?");
  });
});

describe('gramNorm', () => {
  it('is the norm from above, nearly, and that of the spatial Gram bound for a convolution', () => {
    tidy(() => {
      const kernel = normal(2, [6, 4]) as Tensor2D;
      const [norm, exact] = [gramNorm(kernel).dataSync()[0]!, denseSpectralNorm(kernel).value];
      expect(norm / exact).toBeWithin(1 - 1e-6, 4 ** (1 / 64));
      const conv = normal(3, [3, 3, 2, 3]) as Tensor4D;
      for (const strides of [1, 2]) expect(gramNorm(conv, { strides })).toBeAllClose(convSpatialGramBound(conv, { strides, iterations: 1 }).value);
    });
  });

  it('trains', () => {
    expectTrains(normal(4, [4, 3]), (kernel) => gramNorm(kernel as Tensor2D), { rate: 0.1, factor: 0.8 });
    expectTrains(normal(5, [3, 3, 2, 3]), (kernel) => gramNorm(kernel as Tensor4D), { rate: 0.1, factor: 0.95 });
  });
});

describe('marginPenalty', () => {
  it('is what certified radii lack', () => {
    tidy(() => {
      const logits = tensor2d([[2, 1, 0], [0, 1, 4], [5, 0, 0]]);
      const bound = { value: 2, status: 'upper', norm: 'L2', domain: 'global', method: 'test' } as const;
      // The second is wrong by 3; the third has more than asked.
      const lacking = [1 - certifiedRadius(1, bound), 1 + 3 / (2 * Math.SQRT2), 0];
      expect(marginPenalty(logits, tensor1d([0, 1, 0], 'int32'), { radius: 1, lipschitz: 2 })).toBeAllClose(lacking.reduce((a, b) => a + b) / 3);
    });
  });

  it('trains through logits and constant, and larger logits alone win nothing', () => {
    const [x, labels] = [normal(6, [8, 3]), tensor1d([0, 1, 2, 0, 1, 2, 0, 1], 'int32')];
    const penalty = (kernel: Tensor): Scalar => tidy(() => marginPenalty(matMul(x, kernel) as Tensor2D, labels, { radius: 1, lipschitz: gramNorm(kernel as Tensor2D) }));
    const kernel = normal(7, [3, 3]);
    expect(value(() => penalty(mul(kernel, 10)))).toBeAllClose(value(() => penalty(kernel)), { rtol: 1e-4 });
    expectTrains(kernel, penalty, { rate: 2, factor: 0.95 });
    x.dispose();
    labels.dispose();
  });

  it('refuses shapes that disagree', () => {
    tidy(() => {
      expect(() => marginPenalty(tensor2d([[1, 2]]), tensor1d([0, 1], 'int32'), { radius: 1 })).toThrow('marginPenalty: labels must have shape [B] with B = 1, got [2].');
    });
  });
});

describe('disagreementPenalty', () => {
  it('is the variance of outputs under the gates, by hand', () => {
    tidy(() => {
      const outputs = [tensor2d([[0, 0], [1, 1]]), tensor2d([[2, 4], [1, 1]])];
      // Means [1, 2] and [1, 1]: (1 + 4 + 1 + 4) / 2, and 0.
      expect(disagreementPenalty(outputs)).toBeAllClose(5 / 2);
      // Gates (¾, ¼): p q ‖difference‖² = 3/16 · 20.
      expect(disagreementPenalty(outputs, tensor2d([[0.75, 0.25], [0.5, 0.5]]))).toBeAllClose(((3 / 16) * 20) / 2);
    });
  });

  it('trains, and refuses gates of another shape', () => {
    const [x, other] = [normal(8, [5, 3]), normal(9, [5, 2])] as [Tensor2D, Tensor2D];
    expectTrains(normal(10, [3, 2]), (kernel) => tidy(() => disagreementPenalty([matMul(x, kernel) as Tensor2D, other])), { rate: 0.4, factor: 0.8 });
    tidy(() => {
      expect(() => disagreementPenalty([other], tensor2d([[1, 2]]))).toThrow('disagreementPenalty: gates must have shape [5,1], got [1,2].');
    });
    x.dispose();
    other.dispose();
  });
});

describe('routePenalty', () => {
  const bias = [0.1, -0.2, 0.3, 0];
  const scores = (x: Tensor, kernel: Tensor): Tensor2D => tidy(() => add(matMul(x as Tensor2D, kernel as Tensor2D), tensor1d(bias)) as Tensor2D);

  it.each([1, 2])('is what route radii lack, top %i', (topK) => {
    const [x, kernel] = [normal(11, [6, 3]), normal(12, [3, 4])];
    const layer = { name: 'moe', numExperts: 4, topK, batchInvariant: true };
    const values = { shape: [3, 4], values: kernel.dataSync() };
    const rows = x.arraySync() as number[][];
    const lacking = rows.map((input) => Math.max(0, 1 - routeRadius(affineScores({ kernel: values, bias, input }), layer).radius));
    expect(lacking.some((each) => each > 0)).toBe(true);
    expect(value(() => routePenalty(scores(x, kernel), kernel as Tensor2D, { radius: 1, topK }))).toBeAllClose(lacking.reduce((a, b) => a + b) / 6);
    x.dispose();
    kernel.dispose();
  });

  it('trains, and larger scores alone win nothing', () => {
    const x = normal(13, [6, 3]);
    const penalty = (kernel: Tensor): Scalar => tidy(() => routePenalty(sub(scores(x, kernel), tensor1d(bias)) as Tensor2D, kernel as Tensor2D, { radius: 2 }));
    const kernel = normal(14, [3, 4]);
    expect(value(() => penalty(mul(kernel, 10)))).toBeAllClose(value(() => penalty(kernel)), { rtol: 1e-4 });
    expectTrains(kernel, penalty, { rate: 0.6, factor: 0.9 });
    x.dispose();
  });

  it('refuses to choose all experts', () => {
    tidy(() => {
      expect(() => routePenalty(normal(1, [2, 3]) as Tensor2D, normal(2, [2, 3]) as Tensor2D, { radius: 1, topK: 3 })).toThrow('routePenalty: topK must be an integer in [1, 2], got 3.');
    });
  });
});
