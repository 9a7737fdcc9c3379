import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, grad, mul, sum, tensor1d, tensor2d } from '@tensorflow/tfjs-core';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ceLoss } from './ce-loss.js';
import { cwLoss } from './cw-loss.js';
import { dlrLoss } from './dlr-loss.js';

type Loss = (logits: Tensor2D, labels: Tensor1D) => Tensor1D;
const at = (...labels: number[]): Tensor1D => tensor1d(labels, 'int32');
const gradient = (loss: Loss, logits: Tensor2D, labels: Tensor1D): Tensor => grad((z) => sum(loss(z as Tensor2D, labels)))(logits);

describe.each([
  ['ceLoss', ceLoss],
  ['cwLoss', cwLoss],
  ['dlrLoss', dlrLoss],
] as [string, Loss][])('%s', (name, loss) => {
  it('has the gradient of central differences', () => {
    expectGradient((z) => sum(mul(loss(z as Tensor2D, at(0, 2, 1)), [1, -2, 0.5])) as Scalar, tensor2d([[1, 0.2, -0.7, 0.5], [0.3, 2, 0.1, -1], [-1, 0.4, 0.8, 1.9]]));
  });

  it('adds nothing between rows: a row has the gradient that it has alone', () => {
    const logits = [[1, 0.2, -0.7], [0.3, 2, 0.1]];
    const together = gradient(loss, tensor2d(logits), at(0, 2)).dataSync();
    const alone = [0, 1].flatMap((row) => Array.from(gradient(loss, tensor2d([logits[row]!]), at([0, 2][row]!)).dataSync()));
    expect(Array.from(together)).toEqual(alone);
  });

  it('keeps only what it returns, also when it throws', () => {
    const logits = tensor2d([[1, 2]]);
    const labels = at(0);
    const wrong = at(2);
    expectTensorsKept(1, () => loss(logits, labels)).dispose();
    expect(() => expectTensorsKept(0, () => loss(logits, wrong))).toThrow(/labels\[0\] must be a class index in \[0, 2\), got 2/);
    expect(() => loss(logits, at(0, 1))).toThrow(new RegExp(`${name}: labels must have shape`));
    expect(() => loss(tensor2d([[1]]), labels)).toThrow(/at least 2 classes/);
  });
});

describe('ceLoss', () => {
  it('is log 2 for two equal logits, and log(1 + e) when the wrong one leads by 1', () => {
    expect(ceLoss(tensor2d([[2, 2], [0, 1]]), at(0, 0))).toBeAllClose([Math.log(2), Math.log(1 + Math.E)]);
  });

  // Exact: d/dz_y log(1 + e^-gap) = -1 / (1 + e^gap). Float32 logSoftmax gives 0 from a gap of 17 on.
  it.each([15, 17, 40, 80, -3, -90])('is exact in value and gradient when the true logit leads by %i', (gap) => {
    expect(ceLoss(tensor2d([[gap, 0]]), at(0))).toBeAllClose(Math.log1p(Math.exp(-Math.abs(gap))) + Math.max(0, -gap), { rtol: 1e-6, atol: 0 });
    const slope = -1 / (1 + Math.exp(gap));
    expect(gradient(ceLoss, tensor2d([[gap, 0]]), at(0))).toBeAllClose([slope, -slope], { rtol: 1e-6, atol: 0 });
  });

  it('does not change when all logits are shifted, however far', () => {
    const shifted = ceLoss(tensor2d([[1000, 1001, 999], [-1000, -999, -1001]]), at(0, 0));
    expect(shifted).toBeAllClose([1, 1].map(() => Math.log(1 + Math.E + 1 / Math.E)));
  });
});

describe('cwLoss', () => {
  it('is the lead of the best wrong class, and sends gradient to one of two tied rivals', () => {
    const logits = tensor2d([[3, 1, 1], [0, 2, 5]]);
    expect(cwLoss(logits, at(0, 1))).toBeAllClose([-2, 3]);
    expect(gradient(cwLoss, logits, at(0, 1))).toBeAllClose([-1, 1, 0, 0, -1, 1]);
  });
});

describe('dlrLoss', () => {
  it('is the ratio of the hand-worked row (3, 1, 0.5, -1)', () => {
    // spread z_(1) - z_(3) = 2.5; gaps 1 - 3 = -2, 3 - 1 = 2, 3 + 1 = 4.
    const logits = tensor2d([[3, 1, 0.5, -1], [3, 1, 0.5, -1], [3, 1, 0.5, -1]]);
    expect(dlrLoss(logits, at(0, 1, 3))).toBeAllClose([-0.8, 0.8, 1.6]);
  });

  it('does not change when the logits are scaled and shifted, and lies in [-1, 0] where right', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 4, maxLength: 4 }), fc.double({ min: 0.25, max: 8, noNaN: true }), (row, scale) => {
        const spread = row.toSorted((a, b) => b - a);
        fc.pre(spread[0]! > spread[2]!);
        const label = row.indexOf(spread[0]!);
        const value = dlrLoss(tensor2d([row]), at(label)).dataSync()[0]!;
        expect(value).toBeWithin(-1, 0);
        expect(dlrLoss(tensor2d([row.map((z) => scale * z + 3)]), at(label))).toBeAllClose(value, { rtol: 1e-4, atol: 1e-5 });
      }),
      { numRuns: 30, seed: 1 },
    );
  });

  it('is the margin itself for two classes', () => {
    expect(dlrLoss(tensor2d([[3, 1]]), at(0))).toBeAllClose([-2]);
  });
});
