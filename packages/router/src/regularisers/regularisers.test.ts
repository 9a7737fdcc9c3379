import { createRng } from '@moe/core';
import { expectGradient } from '@moe/testing';
import { type Scalar, type Tensor, type Tensor2D, type Tensor3D, eye, fill, ones, softmax, tensor1d, tensor2d, tensor3d, tidy, zeros } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { importanceKlLoss } from '../losses/importance-kl-loss.js';
import { expertAgreement } from './expert-agreement.js';
import { expertDiversity } from './expert-diversity.js';
import { routerConsistency } from './router-consistency.js';
import { routerKl } from './router-kl.js';
import { routerMargin } from './router-margin.js';
import { routerOrthogonality } from './router-orthogonality.js';

const random = (rows: number, columns: number, name = 'x'): Tensor2D => tensor2d(createRng(3).stream(name).normal(rows * columns), [rows, columns]);
const gates = (z: Tensor): Tensor2D => softmax(z) as Tensor2D;

describe('routerKl', () => {
  it('is the hand-worked divergence, 0 for equal gates, over tokens that count', () => {
    tidy(() => {
      const [a, b] = [tensor2d([[0.5, 0.5], [1, 0]]), tensor2d([[0.25, 0.75], [1, 0]])];
      const first = 0.5 * Math.log(2) + 0.5 * Math.log(0.5 / 0.75);
      expect(routerKl(a, b)).toBeAllClose(first / 2, { atol: 1e-6 });
      expect(routerKl(a, b, { mask: tensor1d([1, 0]) })).toBeAllClose(first, { atol: 1e-6 });
      expect(routerKl(a, a)).toBeAllClose(0);
    });
  });

  it('has the gradient of central differences in both', () => {
    const [z, other] = [random(3, 4), random(3, 4, 'y')];
    expectGradient((t) => tidy(() => routerKl(gates(t), gates(other))), z);
    expectGradient((t) => tidy(() => routerKl(gates(other), gates(t))), z);
    z.dispose();
    other.dispose();
  });
});

describe('routerConsistency', () => {
  it('is 0 for even one-hot gates that agree, and the closed form for uniform ones', () => {
    tidy(() => {
      expect(routerConsistency(eye(4), eye(4))).toBeAllClose(0);
      const uniform = fill([8, 4], 0.25) as Tensor2D;
      expect(routerConsistency(uniform, uniform)).toBeAllClose(0.005 * 0.75 ** 2 + 0.05 / 16, { atol: 1e-7 });
      expect(routerConsistency(eye(4), tensor2d([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), { diagonal: 1, offDiagonal: 1 })).toBeAllClose(2 / 4 + 2 / 12, { atol: 1e-6 });
    });
  });

  it('leaves pairs out, and has the gradient of central differences', () => {
    tidy(() => {
      const [a, b] = [gates(random(5, 3)), gates(random(5, 3, 'y'))];
      const part = routerConsistency(tensor2d(a.arraySync().slice(0, 2)), tensor2d(b.arraySync().slice(0, 2)));
      expect(routerConsistency(a, b, { mask: tensor1d([1, 1, 0, 0, 0]) })).toBeAllClose(part, { atol: 1e-6 });
      expectGradient((t) => routerConsistency(gates(t), b, { diagonal: 1, offDiagonal: 1 }), random(5, 3));
    });
  });
});

describe('routerMargin', () => {
  it('is the hinge on the lead of the last chosen expert', () => {
    tidy(() => {
      const logits = tensor2d([[3, 2.5, 0], [5, 0, 1]]);
      expect(routerMargin(logits)).toBeAllClose((0.5 + 0) / 2);
      expect(routerMargin(logits, { topK: 2, margin: 3 })).toBeAllClose((0.5 + 2) / 2);
      expect(routerMargin(logits, { mask: tensor1d([1, 0]) })).toBeAllClose(0.5);
      expect(() => routerMargin(logits, { topK: 3 })).toThrow('routerMargin: topK must be an integer in [1, 2], got 3.');
    });
  });

  it('has the gradient of central differences', () => {
    const z = random(4, 3);
    expectGradient((t) => routerMargin(t as Tensor2D, { margin: 2 }), z);
    z.dispose();
  });
});

describe('routerOrthogonality', () => {
  it('is the mean squared cosine', () => {
    tidy(() => {
      expect(routerOrthogonality(tensor2d([[2, 0], [0, 5]]))).toBeAllClose(0);
      expect(routerOrthogonality(ones([3, 4]) as Tensor2D)).toBeAllClose(1, { atol: 1e-6 });
      expect(routerOrthogonality(tensor2d([[1, 1], [0, 1]]))).toBeAllClose(0.5, { atol: 1e-6 });
    });
  });
});

describe('expertAgreement', () => {
  it('is the mean distance of outputs over pairs used together', () => {
    tidy(() => {
      const outputs = tensor3d([[[0, 0], [3, 4], [9, 9]], [[1, 1], [1, 1], [1, 2]]]);
      expect(expertAgreement(outputs, tensor2d([[1, 1, 0], [0, 1, 1]]))).toBeAllClose((5 + 1) / 2, { atol: 1e-5 });
      expect(expertAgreement(outputs, tensor2d([[0.3, 0.7, 0], [0, 0, 1]]))).toBeAllClose(5, { atol: 1e-5 });
      expect(expertAgreement(outputs, tensor2d([[1, 0, 0], [0, 0, 1]]))).toBeAllClose(0);
    });
  });

  it('has the gradient of central differences', () => {
    tidy(() => {
      const x = tensor3d(createRng(1).normal(12), [2, 3, 2]);
      expectGradient((t) => expertAgreement(t as Tensor3D, tensor2d([[1, 1, 1], [0, 1, 1]])), x);
    });
  });
});

describe('expertDiversity', () => {
  it('asks for a deviation of 1 over experts', () => {
    tidy(() => {
      expect(expertDiversity(zeros([2, 3]) as Tensor2D)).toBeAllClose(0.99, { atol: 1e-6 });
      expect(expertDiversity(tensor2d([[-2, 2]]))).toBeAllClose(0);
    });
  });
});

describe('importanceKlLoss', () => {
  it('is 0 when balanced and ln E when collapsed, on the combine weights where given', () => {
    tidy(() => {
      const [none, even] = [zeros([4, 2]) as Tensor2D, fill([4, 2], 0.5) as Tensor2D];
      expect(importanceKlLoss(even, none)).toBeAllClose(0, { atol: 1e-6 });
      const collapsed = tensor2d([[1, 0], [1, 0], [1, 0], [1, 0]]);
      expect(importanceKlLoss(even, none, { combineWeights: collapsed }) as Scalar).toBeAllClose(Math.LN2, { atol: 1e-6 });
      expect(importanceKlLoss(even, none, { combineWeights: collapsed, mask: tensor1d([0, 0, 0, 1]) })).toBeAllClose(Math.LN2, { atol: 1e-6 });
    });
  });
});
