import { profile, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { type FgsmOptions, fgsm } from './fgsm.js';
import { type PgdOptions, pgd } from './pgd.js';
import { counted, linearModel, predictions, tinyNet } from './testing/models.js';

describe('pgd', () => {
  it('reaches the corner of a linear model in ceil(2 eps / stepSize) steps', () => {
    // Loss of class 0 rises along w1 - w0 = (2, -2); from anywhere the corner is x + eps (1, -1).
    const model = linearModel([[-1, 1], [1, -1]], [9, 0]);
    const attack = pgd({ eps: 0.1, steps: 4, stepSize: 0.05 });
    const { adversarial, success } = attack.perturb(model, tensor2d([[0.5, 0.5]]), tensor1d([0], 'int32'), { rng: createRng(1) });
    expect(adversarial).toBeAllClose([0.6, 0.4]);
    expect(success).toBeAllClose([0]);
  });

  it('costs one forward and one backward pass a step, and none for weights', async () => {
    const net = tinyNet(6, 3, 1);
    const x = tensor2d(createRng(2).uniform(12), [2, 6]);
    const labels = tensor1d(predictions(net, x), 'int32');
    const { counts, wrapped } = counted(net);
    const run = () => tidy(() => void pgd({ eps: 1e-4, steps: 5, restarts: 2 }).perturb(wrapped, x, labels, { rng: createRng(1) }));
    const info = await profile(() => (run(), tensor1d([0])));
    // 1 clean pass, then per restart 5 with gradient and 1 for the last iterate.
    expect(counts).toMatchObject({ forward: 13, backward: 10 });
    // Two matrix products forward; two backward, to the inputs only.
    const products = info.kernels.filter(({ name }) => name === 'BatchMatMul').length;
    expect(products).toBe(2 * counts.forward + 2 * counts.backward);
  });

  it('needs no clean pass of its own when it starts at the input', () => {
    const net = tinyNet(6, 3, 1);
    const x = tensor2d(createRng(2).uniform(12), [2, 6]);
    const { counts, wrapped } = counted(net);
    pgd({ eps: 1e-4, steps: 5, start: 'none' }).perturb(wrapped, x, tensor1d(predictions(net, x), 'int32'), { rng: createRng(1) });
    expect(counts).toMatchObject({ forward: 6, backward: 5 });
  });

  it('stops paying for rows that are fooled', () => {
    const net = tinyNet(6, 3, 1);
    const x = tensor2d(createRng(2).uniform(192), [32, 6]);
    const { counts, wrapped } = counted(net);
    const { success } = pgd({ eps: 0.15, steps: 10, start: 'none' }).perturb(wrapped, x, tensor1d(predictions(net, x), 'int32'), { rng: createRng(1) });
    const fooled = Array.from(success.dataSync()).reduce((a, b) => a + b, 0);
    expect(fooled).toBeWithin(9, 31);
    expect(counts.rows.at(-1)).toBeLessThanOrEqual(24);
    expect(counts.rows.every((rows, i) => i === 0 || rows <= counts.rows[i - 1]!)).toBe(true);
  });

  it('runs every step on every row under maxLoss, wrong rows included', () => {
    const net = tinyNet(6, 3, 1);
    const x = tensor2d(createRng(2).uniform(48), [8, 6]);
    const wrong = Int32Array.from(predictions(net, x), (label) => (label + 1) % 3);
    const { counts, wrapped } = counted(net);
    const { adversarial } = pgd({ eps: 0.1, steps: 3, goal: 'maxLoss' }).perturb(wrapped, x, tensor1d(wrong, 'int32'), { rng: createRng(1) });
    expect(counts).toMatchObject({ forward: 4, backward: 3, rows: [8, 8, 8, 8] });
    expect(Array.from(adversarial.dataSync())).not.toEqual(Array.from(x.dataSync()));
  });

  it('fills in every default, with the step size from eps and steps', () => {
    expect(pgd({ eps: 0.2, steps: 5 })).toMatchObject({
      name: 'pgd',
      access: 'gradient',
      options: { eps: 0.2, norm: 'Linf', loss: 'ce', bounds: [0, 1], label: '', target: 'none', steps: 5, stepSize: 0.1, decay: 'none', direction: 'steepest', start: 'uniform', startSize: 0.2, restarts: 1, goal: 'misclassify' },
    });
    expect(pgd({ eps: 0.2, label: 'small' }).name).toBe('pgd:small');
  });

  it.each([
    [{ eps: Number.NaN }, /eps must be a finite number/],
    [{ eps: 0.1, steps: 1.5 }, /steps must be an integer ≥ 0/],
    [{ eps: 0.1, stepSize: -1 }, /stepSize/],
    [{ eps: 0.1, start: 'none', restarts: 2 }, /restarts must be 1 with start 'none'/],
    [{ eps: 0.1, start: 'zero' }, /start must be one of/],
    [{ eps: 0.1, goal: 'fool' }, /goal must be one of/],
    [{ eps: 0.1, restart: 2 }, /Did you mean 'restarts'/],
  ] as [PgdOptions, RegExp][])('refuses %j', (options, message) => {
    expect(() => pgd(options)).toThrow(message);
  });
});

describe('fgsm', () => {
  it('steps on wrong rows too under maxLoss', () => {
    const net = tinyNet(6, 3, 1);
    const x = tensor2d(createRng(2).uniform(12, 0.2, 0.8), [2, 6]);
    const wrong = tensor1d(Array.from(predictions(net, x), (label) => (label + 1) % 3), 'int32');
    const kept = fgsm({ eps: 0.01 }).perturb(net, x, wrong, { rng: createRng(1) });
    const moved = fgsm({ eps: 0.01, goal: 'maxLoss' }).perturb(net, x, wrong, { rng: createRng(1) });
    expect(kept.adversarial).toBeAllClose(x, { rtol: 0, atol: 0 });
    expect(Array.from(moved.loss.dataSync()).every((loss, row) => loss > kept.loss.dataSync()[row]!)).toBe(true);
    expect(() => fgsm({ eps: 0.01, goal: 'both' as 'maxLoss' })).toThrow("fgsm: goal must be one of 'misclassify', 'maxLoss', 'lastStep', got 'both'.");
  });

  it('steps by eps along the sign of the gradient', () => {
    const model = linearModel([[-1, 1], [1, -1]], [9, 0]);
    const attack = fgsm({ eps: 0.1 });
    const { adversarial } = attack.perturb(model, tensor2d([[0.5, 0.95]]), tensor1d([0], 'int32'), { rng: createRng(1) });
    expect(adversarial).toBeAllClose([0.6, 0.85]);
  });

  it('costs one backward pass', () => {
    const net = tinyNet(6, 3, 1);
    const x = tensor2d(createRng(2).uniform(12), [2, 6]);
    const { counts, wrapped } = counted(net);
    fgsm({ eps: 1e-4 }).perturb(wrapped, x, tensor1d(predictions(net, x), 'int32'), { rng: createRng(1) });
    expect(counts).toMatchObject({ forward: 2, backward: 1 });
  });

  it('steps by 1.25 eps from a random start', () => {
    expect(fgsm({ eps: 0.1, start: 'uniform' }).options).toMatchObject({ stepSize: 0.125, startSize: 0.1 });
    expect(fgsm({ eps: 0.1 }).options).toMatchObject({ stepSize: 0.1, start: 'none', target: 'none', goal: 'misclassify' });
    expect(() => fgsm({ eps: 0.1, steps: 2 } as FgsmOptions)).toThrow(/unknown option 'steps'/);
  });
});
