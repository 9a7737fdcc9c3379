import { type Tensor, grads, sub, tensor, tensor1d, tidy, variable } from '@tensorflow/tfjs-core';
import { pgd } from '@moe/attacks';
import { type MoeModel, createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { sgd } from '../optimizers/sgd.js';
import { constant } from '../schedules/constant.js';
import { objectiveContext } from '../testing/context.js';
import { oneBatch } from '../testing/data.js';
import { linearModel, moeMlp } from '../testing/models.js';
import { tinyRun } from '../testing/tiny-run.js';
import { MATRIX_MOE_SHAPE, matrixMoe } from '../testing/matrix-moe.js';
import { awp } from './awp.js';
import { freeAdversarial } from './free-adversarial.js';
import type { SingleObjective, TrainingBatch } from './objective.js';
import { pgdAdversarial } from './pgd-adversarial.js';
import { standard } from './standard.js';
import { trades } from './trades.js';

const attack = pgd({ eps: 0.1, steps: 2, goal: 'maxLoss' });
const at = () => pgdAdversarial({ attack, batchNorm: 'running' });
const batch = (): TrainingBatch => ({ inputs: tensor(createRng(4).uniform(24, 0.2, 0.8), [6, 4]), labels: tensor1d([0, 1, 2, 0, 1, 0], 'int32'), ids: Int32Array.of(0, 1, 2, 3, 4, 5) });

describe('awp', () => {
  it('displaces a weight by gamma of its own norm along the gradient of the loss', () =>
    void tidy(() => {
      const w = variable(tensor(createRng(5).normal(MATRIX_MOE_SHAPE[0] * MATRIX_MOE_SHAPE[1]), [...MATRIX_MOE_SHAPE]));
      const objective = awp(trades({ attack, batchNorm: 'running' }), { gamma: 0.05 });
      const context = objectiveContext({ weights: [{ name: 'w', variable: w, trainable: true }] });
      const inputs = objective.perturb!(matrixMoe(w), batch(), context);
      const { w: displaced, ...others } = objective.displace!(matrixMoe(w), inputs, batch(), context);
      expect(others).toEqual({});
      const [gradient] = grads((x: Tensor) => objective.loss(matrixMoe(x), inputs, batch(), context).total)([w as Tensor]);
      const [moved, g, own] = [sub(displaced!, w), gradient!, w].map((x) => Array.from(x.dataSync())) as [number[], number[], number[]];
      expect(Math.hypot(...moved)).toBeAllClose(0.05 * Math.hypot(...own), { rtol: 1e-4 });
      const share = Math.hypot(...moved) / Math.hypot(...g);
      expect(moved).toBeAllClose(g.map((value) => value * share), { rtol: 1e-3, atol: 1e-6 });
      w.dispose();
    }));

  it('trains by the gradient at the displaced weights, worked by hand, and leaves vectors where they are', async () => {
    // w = (1, −1), b = 0, x = (.5, .6), label 0: g is along x, so v = .1·√2·x/|x|; f = (w + v)·x, and b, a vector, is not displaced. w ← w − .1·σ(f)·x
    const target = linearModel([1, -1], 0);
    await tinyRun(target, { data: oneBatch([0.5, 0.6], [0]), batchesPerEpoch: 1, epochs: 1, optimizer: sgd(), schedule: constant({ base: 0.1 }), objective: awp(standard(), { gamma: 0.1 }) });
    const f = -0.1 + 0.1 * Math.SQRT2 * Math.hypot(0.5, 0.6);
    const d = 0.1 / (1 + Math.exp(-f));
    expect(target.values().w).toBeAllClose([1 - 0.5 * d, -1 - 0.6 * d]);
    expect(target.values().b).toBeAllClose([-d]);
    target.dispose();
  });

  it.each([['gamma 0', { gamma: 0 }], ['an epoch that does not come', { gamma: 0.1, from: 2 }]])('is, with %s, the objective itself bit for bit', async (_, options) => {
    const [a, b] = [moeMlp(1), moeMlp(1)];
    const first = await tinyRun(a, { objective: awp(at(), options) });
    const second = await tinyRun(b, { objective: at() });
    expect(a.values()).toEqual(b.values());
    expect(first).toEqual(second);
    a.dispose();
    b.dispose();
  });

  it('starts in the epoch that it was told', async () => {
    const after = async (epochs: number, objective: SingleObjective): Promise<Record<string, number[]>> => {
      const target = moeMlp(1);
      await tinyRun(target, { epochs, objective });
      const values = target.values();
      target.dispose();
      return values;
    };
    const late = awp(at(), { gamma: 0.1, from: 1 });
    expect(await after(1, late)).toEqual(await after(1, at()));
    expect(await after(2, late)).not.toEqual(await after(2, at()));
  });

  it('restores the weights bit for bit when nothing moves them, and when the loss fails at the displaced weights', async () => {
    const target = moeMlp(1);
    const trained = target.weights.filter(({ trainable }) => trainable).map(({ name }) => name);
    const snapshot = () => Object.fromEntries(trained.map((name) => [name, target.values()[name]]));
    const before = snapshot();
    await tinyRun(target, { objective: awp(at(), { gamma: 0.1 }), optimizer: sgd(), schedule: constant({ base: 0 }) });
    expect(snapshot()).toEqual(before);
    let passes = 0;
    const failing: MoeModel = {
      ...target.model,
      forward: (inputs, options) => {
        // The pass that counts is the first that may move the statistics.
        if (options?.training === true && options.updateStatistics !== false && passes++ === 0) {
          expect(snapshot()).not.toEqual(before);
          throw new Error('model broke');
        }
        return target.model.forward(inputs, options);
      },
    };
    await expect(tinyRun(target, { model: failing, objective: awp(at(), { gamma: 0.1 }) })).rejects.toThrow('model broke');
    expect(snapshot()).toEqual(before);
    target.dispose();
  });

  it('moves the running statistics once a step', async () => {
    const [a, b] = [moeMlp(1), moeMlp(1)];
    const still = { optimizer: sgd(), schedule: constant({ base: 0 }), epochs: 1, batchesPerEpoch: 1 };
    await tinyRun(a, { ...still, objective: awp(at(), { gamma: 1e-4 }) });
    await tinyRun(b, { ...still, objective: at() });
    expect(a.values()['bn/mean']).toBeAllClose(b.values()['bn/mean']!, { rtol: 1e-3, atol: 1e-5 });
    a.dispose();
    b.dispose();
  });

  it('refuses what makes no sense', () => {
    expect(() => awp(freeAdversarial({ eps: 0.1 }) as never)).toThrow('awp: objective must be an objective of one step');
    expect(() => awp(awp(at()))).toThrow("awp: objective must not displace weights itself, got 'pgd-adversarial+awp'.");
    expect(() => awp(at(), { gamma: -1 })).toThrow('awp: gamma must be a finite number ≥ 0, got -1.');
    expect(awp(at())).toMatchObject({ name: 'pgd-adversarial+awp', options: { gamma: 0.01, from: 0, objective: { name: 'pgd-adversarial' } } });
  });
});
