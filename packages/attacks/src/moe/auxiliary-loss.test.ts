import { type LogitsFn, createRng } from '@moe/core';
import { type Scalar, type Tensor2D, mean, slice, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { describeAttack } from '../testing/describe-attack.js';
import { counted, predictions, tinyNet } from '../testing/models.js';
import { asMoe, constantExpert, toyMoe } from '../testing/moe-models.js';
import { auxiliaryLoss } from './auxiliary-loss.js';
import { frozenRoutes } from './frozen-routes.js';

/** Mean probability of the second of two experts. */
const second = (gates: Tensor2D): Scalar => mean(slice(gates, [0, 1], [-1, 1]));

describeAttack('auxiliaryLoss', ({ eps }) => auxiliaryLoss({ eps, steps: 6 }), {
  norm: 'Linf',
  loss: 'ce',
  restarts: false,
  // The sum may rise away from the boundary.
  exact: false,
  wrap: (model) => asMoe(model, 6, second),
});

describe('auxiliaryLoss', () => {
  // r = (x₀, 1/2): the first expert is always right, the second, chosen below 1/2, always wrong; neither has a gradient.
  const toy = { router: [[1, 0], [0, 0]], bias: [0, 0.5], experts: [constantExpert([2, 0]), constantExpert([0, 2])] };
  const success = (model: LogitsFn, options: { eps: number; weight?: number }): number =>
    tidy(() => auxiliaryLoss({ ...options, steps: 20 }).perturb(model, tensor2d([[0.6, 0.3]]), tensor1d([0], 'int32'), { rng: createRng(1) }).success.dataSync()[0]!);

  it('follows the balance loss to another expert, from exactly its distance on, where the label has no gradient', () => {
    const model = toyMoe({ ...toy, auxLoss: second });
    expect([success(model, { eps: 0.0999 }), success(model, { eps: 0.1001 })]).toEqual([0, 1]);
    expect(success(model, { eps: 0.1001, weight: 0 })).toBe(0);
    expect(success(toyMoe(toy), { eps: 0.1001 })).toBe(0);
  });

  const net = tinyNet(6, 3, 7);
  const images = Array.from({ length: 8 }, (_, i) => Array.from(createRng(3).at(i).uniform(6)));
  const points = (model: LogitsFn, attack: ReturnType<typeof auxiliaryLoss>, rows = images): number[] =>
    tidy(() => {
      const x = tensor2d(rows);
      return Array.from(attack.perturb(model, x, tensor1d(predictions(net, x), 'int32'), { rng: createRng(1) }).adversarial.dataSync());
    });

  it('weighs the slopes of the two losses as they are, and is the attack on the label alone without the second', () => {
    const model = asMoe(net, 6, second);
    const label = points(model, frozenRoutes({ eps: 0.02, steps: 6 }) as ReturnType<typeof auxiliaryLoss>); // both experts are the net, so that routes do not matter
    expect(points(model, auxiliaryLoss({ eps: 0.02, steps: 6, weight: 0 }))).toBeAllClose(label, { atol: 1e-6 });
    expect(points(asMoe(net, 6), auxiliaryLoss({ eps: 0.02, steps: 6, weight: 9 }))).toBeAllClose(label, { atol: 1e-6 });
    expect(points(model, auxiliaryLoss({ eps: 0.02, steps: 6, weight: 1000 }))).not.toEqual(label);
  });

  it('costs a pass over the batch to judge and to climb in each step', () => {
    const { counts, wrapped } = counted(net);
    // Two experts run the rows; the examples by themselves are seen by the router alone here, but run the experts too.
    points(asMoe(wrapped, 6, second), auxiliaryLoss({ eps: 1e-6, steps: 3 }), images.slice(0, 2));
    const [judged, climbed, alone] = [4, 3, 3 * 2];
    expect(counts.forward).toBe(2 * (judged + climbed + alone));
  });

  it('refuses a negative weight', () => {
    expect(() => auxiliaryLoss({ eps: 0.1, weight: -1 })).toThrow('auxiliaryLoss: weight must be a finite number ≥ 0, got -1.');
  });
});
