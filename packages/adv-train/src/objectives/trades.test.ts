import { type Scalar, type Tensor, type Tensor2D, abs, add, grads, mean, mul, sigmoid, softplus, sub, sum, tensor, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { pgd } from '@moe/attacks';
import { createRng } from '@moe/core';
import { expectGradient } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { objectiveContext } from '../testing/context.js';
import { linearModel, moeMlp } from '../testing/models.js';
import { matrixMoe } from '../testing/matrix-moe.js';
import { klDivergence } from './kl-divergence.js';
import type { ObjectiveLoss, SingleObjective, TrainingBatch } from './objective.js';
import { standard } from './standard.js';
import { trades } from './trades.js';

const attackOf = (eps: number) => pgd({ eps, steps: 2, stepSize: eps, loss: 'kl', start: 'normal', goal: 'lastStep' });

const batch = (): TrainingBatch => ({ inputs: tensor(createRng(4).uniform(24, 0.2, 0.8), [6, 4]), labels: tensor1d([0, 1, 2, 0, 1, 0], 'int32'), ids: Int32Array.of(0, 1, 2, 3, 4, 5) });

/** Numbers of one loss of the toy, and its gradient. */
function evaluate(objective: SingleObjective, weights: Tensor) {
  const on = batch();
  const inputs = objective.perturb?.(matrixMoe(weights), on, objectiveContext()) ?? on.inputs;
  const loss = (w: Tensor): ObjectiveLoss => objective.loss(matrixMoe(w), inputs, on, objectiveContext());
  return { total: loss(weights).total.dataSync()[0]!, terms: loss(weights).terms, gradient: grads((w: Tensor) => loss(w).total)([weights])[0]! };
}

const weights = (): Tensor => tensor(createRng(5).normal(32), [4, 8]);

describe('klDivergence', () => {
  it('is the hand-worked value, and exactly 0 for equal logits', () => {
    // p = (1/2, 1/2), q = (1/4, 3/4): .5 ln 2 + .5 ln(2/3) = .5 ln(4/3)
    expect(klDivergence(tensor2d([[0, 0]]), tensor2d([[0, Math.log(3)]]))).toBeAllClose([0.5 * Math.log(4 / 3)]);
    // p = (1, 0): −ln q_0, though 0 · log 0 is in the sum
    expect(klDivergence(tensor2d([[500, -500]]), tensor2d([[0, 0]]))).toBeAllClose([Math.LN2]);
    const logits = tensor2d([[0.3, -2, 7]]);
    expect(klDivergence(logits, logits).dataSync()[0]).toBe(0);
  });

  it('has gradients in both arguments that central differences confirm', () => {
    const [a, b] = [tensor2d([[0.5, -1, 0.2], [0, 0.1, 2]]), tensor2d([[1, 0, -0.5], [0.3, -0.2, 1]])];
    expectGradient((x) => sum(klDivergence(x as Tensor2D, b)) as Scalar, a);
    expectGradient((x) => sum(klDivergence(a, x as Tensor2D)) as Scalar, b);
  });

  it('refuses shapes that differ', () => expect(() => klDivergence(tensor2d([[1, 2]]), tensor2d([[1, 2, 3]]))).toThrow('klDivergence: after must have shape'));
});

describe('trades', () => {
  it.each([
    ['eps 0', trades({ attack: pgd({ eps: 0, steps: 2, stepSize: 0.1, loss: 'kl', start: 'normal', goal: 'lastStep' }), batchNorm: 'running' })],
    ['beta 0', trades({ attack: attackOf(0.1), beta: 0, batchNorm: 'running' })],
  ])('is, at %s, standard training', (_, objective) =>
    void tidy(() => {
      const [expected, actual] = [evaluate(standard(), weights()), evaluate(objective, weights())];
      expect(actual.total).toBeAllClose(expected.total);
      expect(actual.gradient).toBeAllClose(expected.gradient);
      expect(actual.terms.kl).toBeAllClose(0, { atol: 1e-7 });
    }));

  it('has, on a linear model, the loss and gradient of the divergence at the worst corner', () => {
    const [eps, beta, w, b] = [0.1, 3, [1.5, -0.7, 0.3, -2], 0.2];
    const target = linearModel(w, b);
    tidy(() => {
      const on = { ...batch(), labels: tensor1d([0, 1, 1, 0, 1, 0], 'int32') };
      const objective = trades({ attack: attackOf(eps), beta, batchNorm: 'running' });
      const inputs = objective.perturb!(target.model, on, objectiveContext());
      const { total, terms } = objective.loss(target.model, inputs, on, objectiveContext());
      // f moves by ±eps‖w‖₁, whichever way the start tipped it; the attack holds the clean distribution constant, so it goes on that way.
      const score = (x: Tensor, kernel: Tensor, bias: Tensor) => add(sum(mul(x, kernel), 1), bias);
      const [clean, moved] = [score(on.inputs, tensor(w), tensor([b])), score(inputs, tensor(w), tensor([b]))];
      expect(abs(sub(moved, clean))).toBeAllClose(Array.from({ length: 6 }, () => eps * 4.5), { rtol: 1e-4 });
      // KL of Bernoulli variables with log-odds f and f': p(f − f') − softplus(f) + softplus(f')
      const kl = mean(add(sub(mul(sigmoid(clean), sub(clean, moved)), softplus(clean)), softplus(moved)));
      expect(terms.kl).toBeAllClose(mul(kl, beta), { rtol: 1e-4, atol: 1e-6 });
      const y = sub(mul(on.labels, 2), 1);
      expect(total).toBeAllClose(add(mean(softplus(mul(-1, mul(y, clean)))), mul(kl, beta)), { rtol: 1e-4 });
    });
    target.dispose();
  });

  it('adds the balance losses of the attacked batch by their weight to those of the clean one', () =>
    void tidy(() => {
      const on = batch();
      const [without, withAux] = [0, 0.5].map((auxWeight) => evaluate(trades({ attack: attackOf(0.1), batchNorm: 'running', auxWeight }), weights()));
      const inputs = trades({ attack: attackOf(0.1), batchNorm: 'running' }).perturb!(matrixMoe(weights()), on, objectiveContext());
      const [clean, attacked] = [on.inputs, inputs].map((x) => matrixMoe(weights()).forward(x).auxLoss.dataSync()[0]!);
      expect(without!.terms.aux).toBeAllClose(clean!);
      expect(withAux!.terms.aux).toBeAllClose(clean! + 0.5 * attacked!);
    }));

  it('runs each batch once, with the same noise, and as released the clean one twice with fresh noise', () => {
    const target = moeMlp(1);
    tidy(() => {
      for (const [legacy, passes, noises] of [[false, 2, 1], [true, 3, 3]] as const) {
        const draws: number[] = [];
        const model = { ...target.model, forward: (...args: Parameters<typeof target.model.forward>) => (draws.push(args[1]!.rng!.uniform(1)[0]!), target.model.forward(...args)) };
        const objective = trades({ attack: attackOf(0.1), batchNorm: 'running', legacy });
        objective.loss(model, batch().inputs, batch(), objectiveContext());
        expect(draws).toHaveLength(passes);
        expect(new Set(draws).size).toBe(noises);
      }
    });
    target.dispose();
  });

  it('is as released, up to rounding, for a model that neither draws nor has batch norm', () =>
    void tidy(() => {
      const [ours, released] = [false, true].map((legacy) => evaluate(trades({ attack: attackOf(0.1), batchNorm: 'running', legacy }), weights()));
      expect(released!.total).toBeAllClose(ours!.total);
      expect(released!.gradient).toBeAllClose(ours!.gradient, { rtol: 1e-4 });
    }));

  it('refuses what makes no sense', () => {
    expect(() => trades({ attack: attackOf(0.1), batchNorm: 'running', beta: -1 })).toThrow('trades: beta must be a finite number ≥ 0, got -1.');
    expect(() => trades({ attack: attackOf(0.1) } as never)).toThrow("trades: batchNorm must be one of 'running', 'batch', 'batch-updating', got undefined.");
    expect(() => trades({ attack: pgd({ eps: 0.1 }), batchNorm: 'batch' })).toThrow("attack.options.goal must not be 'misclassify'");
    expect(() => trades({ attack: attackOf(0.1), batchNorm: 'running', legacy: 1 } as never)).toThrow('trades: legacy must be true or false, got 1.');
  });
});
