import { type Attack, createRng } from '@moe/core';
import { tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { fab } from '../fab/fab.js';
import { fgsm } from '../fgsm.js';
import { pgd } from '../pgd.js';
import { square } from '../square.js';
import { describeAttack } from '../testing/describe-attack.js';
import { describeMinimumNormAttack } from '../testing/describe-minimum-norm-attack.js';
import { linearModel, predictions, tinyNet } from '../testing/models.js';
import { minimalEps } from './minimal-eps.js';

for (const norm of ['Linf', 'L2'] as const) {
  describeAttack(`minimalEps of fgsm ${norm}`, ({ eps }) => minimalEps((radius) => fgsm({ eps: radius, norm }), { eps, halvings: 6 }), { norm, loss: 'ce', restarts: false, lossOption: false });
  describeMinimumNormAttack(`minimalEps of fab ${norm}`, ({ eps = 1, effort }) => minimalEps((radius) => fab({ eps: radius, norm, steps: 6 }), { eps, halvings: 16 * effort }), {
    norm,
    tolerance: 0.01,
    boxTolerance: 0.01,
    prefix: true,
    classes: 3,
    epsStops: false,
    models: 1,
    rows: 6,
  });
}

const net = tinyNet(6, 3, 7);
const inputs = createRng(3).uniform(8 * 6);
const batch = () => ({ x: tensor2d(inputs.slice(), [8, 6]), labels: predictions(net, tensor2d(inputs.slice(), [8, 6])) });
const context = { rng: createRng(5), exampleIds: [3, 1, 4, 15, 9, 2, 6, 5] };

describe('minimalEps', () => {
  it('halves towards the exact distance of a linear model', () => {
    // Class 1 leads by 2x - 1: from 0.2 the boundary is 0.3 away. Halving 0.8: 0.4 suffices, 0.2 fails, 0.3 fails or not by rounding, 0.35 suffices, and so on.
    tidy(() => {
      const attack = minimalEps((eps) => fgsm({ eps }), { eps: 0.8, halvings: 5 });
      const { failed, sufficed, distances } = attack.perturb(linearModel([[-1, 1]], [0.5, -0.5]), tensor2d([[0.2]]), tensor1d([0], 'int32'), { rng: createRng(1) });
      expect(sufficed[0]! - failed[0]!).toBeCloseTo(0.8 / 2 ** 5, 9);
      expect(0.3).toBeWithin(failed[0]! - 1e-7, sufficed[0]!);
      expect(distances[0]).toBeCloseTo(sufficed[0]!, 6);
    });
  });

  it.each([
    ['pgd', (eps: number): Attack => pgd({ eps, steps: 4, restarts: 2 })],
    ['square', (eps: number): Attack => square({ eps, queries: 30 })],
  ])('gives for every row the very bits of %s by itself at the radius that sufficed; where one failed, it stands', (_, make) => {
    tidy(() => {
      const { x, labels } = batch();
      const y = tensor1d(labels, 'int32');
      const { adversarial, loss, failed, sufficed } = minimalEps(make, { eps: 0.5, halvings: 5 }).perturb(net, x, y, context);
      const alone = (eps: number) => make(eps).perturb(net, x, y, context);
      labels.forEach((__, row) => {
        expect(sufficed[row]).toBeLessThanOrEqual(0.5);
        const single = alone(sufficed[row]!);
        expect(adversarial.dataSync().slice(row * 6, row * 6 + 6)).toEqual(single.adversarial.dataSync().slice(row * 6, row * 6 + 6));
        expect(loss.dataSync()[row]).toBe(single.loss.dataSync()[row]);
        expect(single.success.dataSync()[row]).toBe(1);
        if (failed[row]! > 0) expect(alone(failed[row]!).success.dataSync()[row]).toBe(0);
      });
    });
  });

  it('runs every radius once, on all rows that are there', () => {
    tidy(() => {
      const { x, labels } = batch();
      const runs: [eps: number, rows: number][] = [];
      const make = (eps: number): Attack => {
        const attack = fgsm({ eps });
        return { ...attack, perturb: (model, images, ...rest) => (runs.push([eps, images.shape[0]!]), attack.perturb(model, images, ...rest)) };
      };
      minimalEps(make, { eps: 1, halvings: 3 }).perturb(net, x, tensor1d(labels, 'int32'), context);
      expect(new Set(runs.map(([eps]) => eps)).size).toBe(runs.length);
      expect(runs[0]).toEqual([1, 8]);
    });
  });

  it('has the access of its attack, and refuses those that tell no norm', () => {
    expect(minimalEps((eps) => square({ eps }), { eps: 1 })).toMatchObject({ name: 'minimalEps:square', access: 'score', options: { eps: 1, halvings: 10, norm: 'Linf' } });
    const nameless = (eps: number): Attack => ({ ...fgsm({ eps }), options: { eps } });
    expect(() => minimalEps(nameless, { eps: 1 })).toThrow(/options of the attack must hold norm and bounds/);
    expect(() => minimalEps((eps) => fgsm({ eps }), { eps: -1 })).toThrow(/eps must be a finite number ≥ 0/);
  });
});
