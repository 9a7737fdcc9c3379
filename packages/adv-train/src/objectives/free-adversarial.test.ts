import { type Tensor, add, clipByValue, grad, mul, ones, pad, sign, slice, sub, tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { sgd } from '../optimizers/sgd.js';
import { constant } from '../schedules/constant.js';
import { objectiveContext } from '../testing/context.js';
import { oneBatch } from '../testing/data.js';
import { linearModel, moeMlp } from '../testing/models.js';
import { tinyRun } from '../testing/tiny-run.js';
import { MATRIX_MOE_SHAPE, matrixMoe } from '../testing/matrix-moe.js';
import { freeAdversarial } from './free-adversarial.js';
import type { TrainingBatch } from './objective.js';
import { standard } from './standard.js';

const eps = 0.1;
const toy = () => matrixMoe(tensor(createRng(5).normal(MATRIX_MOE_SHAPE[0] * MATRIX_MOE_SHAPE[1]), [...MATRIX_MOE_SHAPE]));
const batch = (rows = 6): TrainingBatch => ({ inputs: tensor(createRng(4).uniform(rows * 4, 0.05, 0.95), [rows, 4]), labels: tensor1d([0, 1, 2, 0, 1, 0].slice(0, rows), 'int32'), ids: Int32Array.from({ length: rows }, (_, id) => id) });

describe('freeAdversarial', () => {
  it('with one replay carries the perturbation of one FGSM step from the one that was carried', () =>
    void tidy(() => {
      const [on, model] = [batch(), toy()];
      const carried = tensor(createRng(7).uniform(24, -eps, eps), [6, 4]);
      const [step, ...others] = freeAdversarial({ eps, replays: 1 }).steps;
      expect(others).toEqual([]);
      const context = objectiveContext({ carried });
      const inputs = step!.perturb!(model, on, context);
      expect(inputs).toBeAllClose(clipByValue(add(on.inputs, carried), 0, 1));
      const gradient = grad((x: Tensor) => step!.loss(model, x, on, context).total)(inputs);
      const next = step!.carry!(inputs, gradient, on, context);
      const ball = clipByValue(add(sub(inputs, on.inputs), mul(sign(gradient), eps)), -eps, eps);
      expect(next).toBeAllClose(sub(clipByValue(add(on.inputs, ball), 0, 1), on.inputs), { atol: 1e-6 });
    }));

  it('moves weights and perturbation by one and the same gradient, worked by hand', async () => {
    // w = (1, −1), b = 0, x = (.5, .6), label 0, rate .1. First at δ = 0: f = −.1, d = .1·σ(f); w ← w − d·x, and δ = (+ε, −ε), along w as it was. Then at x + δ = (.6, .5).
    const target = linearModel([1, -1], 0);
    const { history } = await tinyRun(target, { data: oneBatch([0.5, 0.6], [0]), batchesPerEpoch: 1, epochs: 1, optimizer: sgd(), schedule: constant({ base: 0.1 }), objective: freeAdversarial({ eps, replays: 2 }) });
    const sigmoid = (f: number): number => 1 / (1 + Math.exp(-f));
    const d = 0.1 * sigmoid(-0.1);
    const w = [1 - 0.5 * d, -1 - 0.6 * d] as const;
    const f = 0.6 * w[0] + 0.5 * w[1] - d;
    const d2 = 0.1 * sigmoid(f);
    expect(target.values().w).toBeAllClose([w[0] - 0.6 * d2, w[1] - 0.5 * d2]);
    expect(target.values().b).toBeAllClose([-d - d2]);
    expect(history.epochs[0]!.loss).toBeAllClose((Math.log(1 + Math.exp(-0.1)) + Math.log(1 + Math.exp(f))) / 2);
    target.dispose();
  });

  it('is, at eps 0 with one replay, standard training bit for bit', async () => {
    const [a, b] = [moeMlp(1), moeMlp(1)];
    const first = await tinyRun(a, { objective: freeAdversarial({ eps: 0, replays: 1 }) });
    const second = await tinyRun(b, { objective: standard() });
    expect(a.values()).toEqual(b.values());
    expect(first).toEqual(second);
    a.dispose();
    b.dispose();
  });

  it('lets a smaller batch use and move the first rows alone, and a larger one start the rest at 0', () =>
    void tidy(() => {
      const [step] = freeAdversarial({ eps, replays: 1 }).steps;
      const carried = tensor(createRng(7).uniform(16, -0.05, 0.05), [4, 4]);
      const context = objectiveContext({ carried });
      const [small, large] = [batch(2), batch(6)];
      expect(sub(step!.perturb!(toy(), small, context), small.inputs)).toBeAllClose(slice(carried, [0, 0], [2, 4]), { atol: 1e-6 });
      const next = step!.carry!(small.inputs, ones([2, 4]), small, context);
      expect(slice(next, [2, 0])).toBeAllClose(slice(carried, [2, 0]));
      expect(slice(next, [0, 0], [2, 4])).toBeAllClose(Array.from({ length: 8 }, (_, i) => Math.min(eps, 1 - small.inputs.dataSync()[i]!)), { atol: 1e-6 });
      expect(sub(step!.perturb!(toy(), large, context), large.inputs)).toBeAllClose(pad(carried, [[0, 2], [0, 0]]), { atol: 1e-6 });
    }));

  it('resets rows with the given probability, at the first replay of a batch only', () =>
    void tidy(() => {
      const rows = 6;
      const on = batch(rows);
      const context = objectiveContext({ carried: mul(ones([rows, 4]), 0.04) });
      const movedBy = (reset: number, replay: number): number[] => {
        const { steps } = freeAdversarial({ eps, replays: 2, reset });
        const moved = sub(steps[replay]!.perturb!(toy(), on, context), on.inputs).dataSync();
        return Array.from({ length: rows }, (_, row) => moved[row * 4]!);
      };
      expect(movedBy(1, 0)).toBeAllClose(Array.from({ length: rows }, () => 0));
      expect(movedBy(1, 1)).toBeAllClose(Array.from({ length: rows }, () => 0.04), { atol: 1e-6 });
      const half = movedBy(0.5, 0);
      expect(half.some((moved) => Math.abs(moved) < 1e-6) && half.some((moved) => moved > 0.03)).toBe(true);
    }));

  it('as released counts the balance losses twice', () =>
    void tidy(() => {
      const on = batch();
      const [ours, released] = [false, true].map((legacy) => freeAdversarial({ eps, replays: 1, legacy }).steps[0]!.loss(toy(), on.inputs, on, objectiveContext()));
      expect(ours!.terms.aux).toBeAllClose(toy().forward(on.inputs).auxLoss);
      expect(released!.terms.aux).toBeAllClose(mul(ours!.terms.aux!, 2));
      expect(released!.terms.ce).toBeAllClose(ours!.terms.ce!);
    }));

  it('refuses what makes no sense', () => {
    expect(() => freeAdversarial({ eps, replays: 0 })).toThrow('freeAdversarial: replays must be an integer ≥ 1, got 0.');
    expect(() => freeAdversarial({ eps, reset: 2 })).toThrow('freeAdversarial: reset must be a finite number in [0, 1], got 2.');
    expect(() => freeAdversarial({ eps, bounds: [1, 0] })).toThrow('freeAdversarial: bounds must be [low, high]');
  });
});
