import { type Scalar, type Tensor, type Tensor2D, grads, matMul, reshape, sub, tensor, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { pgd } from '@moe/attacks';
import { type MoeModel, createRng } from '@moe/core';
import { expectGradient } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { plainModel } from '../plain-model.js';
import { objectiveContext } from '../testing/context.js';
import { mart } from './mart.js';
import type { TrainingBatch } from './objective.js';

const attack = pgd({ eps: 0.1, steps: 2, start: 'normal', goal: 'lastStep' });
/** The inputs are the logits. */
const identity = plainModel((x) => x as Tensor2D);

/** Loss of a batch whose clean and attacked logits are given. */
const lossOf = (clean: Tensor2D, attacked: Tensor2D, labels: readonly number[], options: { lambda?: number; legacy?: boolean } = {}) =>
  mart({ attack, batchNorm: 'running', ...options }).loss(identity, attacked, { inputs: clean, labels: tensor1d([...labels], 'int32'), ids: Int32Array.from(labels.keys()) }, objectiveContext());

describe('mart', () => {
  it('is the hand-worked value', () => {
    // Clean p = (2/4, 1/4, 1/4), attacked p' = (1/6, 3/6, 2/6), label 0, so k = 1:
    // bce = −ln 1/6 − ln(1 − 1/2) = ln 12; KL = 1/2 ln 3 + 1/4 ln 1/2 + 1/4 ln 3/4 = .3040; weight 1 − 1/2
    const [clean, attacked] = [tensor2d([[Math.log(2), 0, 0]]), tensor2d([[0, Math.log(3), Math.log(2)]])];
    const kl = 0.5 * Math.log(3) + 0.25 * Math.log(0.5) + 0.25 * Math.log(0.75);
    for (const legacy of [false, true]) {
      const { total, terms } = lossOf(clean, attacked, [0], { lambda: 4, legacy });
      const tolerance = { rtol: legacy ? 1e-3 : 1e-5 }; // the released guards add 0.0001 to 1/2
      expect(terms.bce).toBeAllClose(Math.log(12), tolerance);
      expect(terms.kl).toBeAllClose(4 * kl * 0.5, tolerance);
      expect(terms.aux).toBeAllClose(0);
      expect(total).toBeAllClose(Math.log(12) + 2 * kl, tolerance);
    }
  });

  it('takes as rival the best of the wrong classes, whether or not the label is ahead of it', () => {
    // Label ahead: p' = (4/7, 2/7, 1/7), k = 1: −ln 4/7 − ln 5/7
    expect(lossOf(tensor2d([[0, 0, 0]]), tensor2d([[Math.log(4), Math.log(2), 0]]), [0], { lambda: 0 }).total).toBeAllClose(-Math.log(4 / 7) - Math.log(5 / 7));
    // Label last: p' = (1/7, 2/7, 4/7), k = 2: −ln 1/7 − ln 3/7
    expect(lossOf(tensor2d([[0, 0, 0]]), tensor2d([[0, Math.log(2), Math.log(4)]]), [0], { lambda: 0 }).total).toBeAllClose(-Math.log(1 / 7) - Math.log(3 / 7));
    // Two classes: both parts are the cross-entropy.
    expect(lossOf(tensor2d([[0, 0]]), tensor2d([[0, 1]]), [0], { lambda: 0 }).total).toBeAllClose(2 * Math.log(1 + Math.E));
  });

  it('grows with the logits where the released guards stop it', () => {
    const attacked = tensor2d([[-50, 50, 0]]);
    // −ln p_y = 100; 1 − p_k = e^−50 + e^−100
    expect(lossOf(attacked, attacked, [0], { lambda: 0 }).total).toBeAllClose(150);
    expect(lossOf(attacked, attacked, [0], { lambda: 0, legacy: true }).total).toBeAllClose(100 - Math.log(1e-4), { rtol: 1e-3 });
  });

  it('is, at lambda 0, its first part, whatever the clean logits', () => {
    const attacked = tensor2d([[0.5, -1, 0.2], [0, 0.1, 2]]);
    const [a, b] = [tensor2d([[3, 0, 0], [1, 1, 1]]), tensor2d([[0, 9, 0], [-4, 2, 1]])].map((clean) => lossOf(clean, attacked, [0, 1], { lambda: 0 }));
    expect(a!.total.dataSync()[0]).toBe(b!.total.dataSync()[0]);
    expect(a!.total).toBeAllClose(a!.terms.bce!);
  });

  it.each([false, true])('has gradients in both logits that central differences confirm, released guards: %s', (legacy) => {
    const [clean, attacked] = [tensor2d([[0.5, -1, 0.2], [0, 0.1, 2]]), tensor2d([[1, 0, -0.5], [0.3, -0.2, 1]])];
    expectGradient((x) => lossOf(x as Tensor2D, attacked, [0, 1], { legacy }).total, clean);
    expectGradient((x) => lossOf(clean, x as Tensor2D, [0, 1], { legacy }).total, attacked);
  });

  it('at eps 0 leaves no divergence, and the gradient of its first part', () =>
    void tidy(() => {
      const batch: TrainingBatch = { inputs: tensor(createRng(4).uniform(24, 0.2, 0.8), [6, 4]), labels: tensor1d([0, 1, 2, 0, 1, 0], 'int32'), ids: Int32Array.of(0, 1, 2, 3, 4, 5) };
      const model = (w: Tensor): MoeModel => plainModel((x) => matMul(reshape(x, [-1, 4]) as Tensor2D, w as Tensor2D));
      const gradientOf = (lambda: number): Tensor =>
        grads((w: Tensor): Scalar => mart({ attack, batchNorm: 'running', lambda }).loss(model(w), batch.inputs, batch, objectiveContext()).total)([tensor(createRng(5).normal(12), [4, 3])])[0]!;
      expect(sub(gradientOf(5), gradientOf(0))).toBeAllClose(Array.from({ length: 12 }, () => 0), { atol: 1e-6 });
    }));

  it('refuses what makes no sense', () => {
    expect(() => mart({ attack, batchNorm: 'running', lambda: Number.NaN })).toThrow('mart: lambda must be a finite number ≥ 0, got NaN.');
    expect(() => mart({ attack, batchNorm: 'running', labelSmoothing: 0.1 } as never)).toThrow("mart: unknown option 'labelSmoothing'");
  });
});
