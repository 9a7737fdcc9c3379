import { type Tensor, type Tensor2D, abs, add, cast, concat, greaterEqual, mul, reshape, square as squared, sub, sum, tensor1d, tensor2d, tidy, zerosLike } from '@tensorflow/tfjs-core';
import { type LogitsFn, createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { GEOMETRIES } from './geometry/geometry.js';
import { type NoiseOptions, noise } from './noise.js';
import { pgd } from './pgd.js';
import { counted, predictions, tinyNet } from './testing/models.js';
import { vMoePgd } from './v-moe-pgd.js';

describe('noise', () => {
  const draws = (options: Omit<NoiseOptions, 'eps'>, length = 40): Float32Array[] => {
    const seen: Float32Array[] = [];
    // Never fooled, and every draw is seen.
    const constant: LogitsFn = (x) => (seen.push((x.dataSync() as Float32Array).map((value) => value - 0.5)), concat([add(zerosLike(flat(x)), 1), zerosLike(flat(x))], 1) as Tensor2D);
    const flat = (x: Tensor): Tensor => sum(reshape(x, [x.shape[0]!, length]), 1, true);
    tidy(() => void noise({ eps: 0.3, queries: 20, ...options }).perturb(constant, tensor2d([new Array(length).fill(0.5)]), tensor1d([0], 'int32'), { rng: createRng(1) }));
    return seen.slice(1);
  };
  const deviation = (all: readonly Float32Array[]): number => {
    const values = all.flatMap((draw) => Array.from(draw));
    return Math.sqrt(values.reduce((total, value) => total + value ** 2, 0) / values.length);
  };

  it('is uniform, normal or of one size, at the radius of the ball', () => {
    expect(draws({})).toHaveLength(20);
    expect(deviation(draws({}))).toBeWithin(0.165, 0.181); // 0.3 / √3
    // Cut at two deviations: variance 1 - 4 φ(2) + … = 0.92 of the whole.
    expect(deviation(draws({ kind: 'normal' })) / 0.15).toBeWithin(0.9, 1);
    expect(deviation(draws({ kind: 'normal', size: 0.01 })) / 0.01).toBeWithin(0.93, 1.07);
    for (const draw of draws({ kind: 'sign' })) for (const value of draw) expect(Math.abs(value)).toBeCloseTo(0.3, 6);
    for (const draw of draws({ kind: 'boundary', norm: 'L2' })) expect(GEOMETRIES.L2.distance(draw, new Float32Array(40))).toBeCloseTo(0.3, 5);
  });

  it('costs one pass for the inputs and one for each draw, none backward, and keeps the worst draw', () => {
    const net = tinyNet(6, 3, 7);
    const inputs = createRng(3).uniform(6 * 24);
    const run = (queries: number, model: LogitsFn = net) =>
      tidy(() => {
        const x = tensor2d(inputs.slice(), [24, 6]);
        const { success, loss } = noise({ eps: 0.04, queries }).perturb(model, x, tensor1d(predictions(net, x), 'int32'), { rng: createRng(1) });
        return { success: Array.from(success.dataSync()), loss: Array.from(loss.dataSync()) };
      });
    const { counts, wrapped } = counted(net);
    const [few, many] = [run(2), run(40, wrapped)];
    expect(counts).toMatchObject({ forward: 41, backward: 0 });
    few.loss.forEach((loss, row) => expect(many.loss[row]!).toBeGreaterThanOrEqual(few.success[row] === 1 ? -Infinity : loss));
    expect(many.loss.some((loss, row) => loss > few.loss[row]!)).toBe(true);
    // The floor: what a gradient attack of a quarter of the passes finds is more.
    const found = tidy(() => {
      const x = tensor2d(inputs.slice(), [24, 6]);
      return Array.from(pgd({ eps: 0.04, steps: 10 }).perturb(net, x, tensor1d(predictions(net, x), 'int32'), { rng: createRng(1) }).success.dataSync());
    });
    const total = (flags: number[]): number => flags.reduce((a, b) => a + b);
    expect(total(found)).toBeGreaterThan(total(many.success));
  });

  it('fools where gradients lead nowhere', () => {
    // A flat top with a step down at 0.1 from the input: no slope anywhere.
    const step: LogitsFn = (x) => concat([add(mul(x, 0), 0.5), cast(greaterEqual(abs(sub(x, 0.5)), 0.1), 'float32')], 1) as Tensor2D;
    const success = tidy(() => noise({ eps: 0.2, queries: 20 }).perturb(step, tensor2d([[0.5]]), tensor1d([0], 'int32'), { rng: createRng(1) }).success.dataSync()[0]);
    expect(success).toBe(1);
  });

  it('refuses what it does not know', () => {
    expect(() => noise({ eps: 0.1, kind: 'none' as 'uniform' })).toThrow(/kind must be one of 'uniform', 'boundary', 'normal', 'sign', got 'none'/);
    expect(() => noise({ eps: 0.1, queries: 0 })).toThrow(/queries must be an integer ≥ 1/);
  });
});

describe('vMoePgd', () => {
  // Σ (x - y)² against 0: the attack leads away from y.
  const y = [0.15, 0.1, 0, 0.4];
  const away: LogitsFn = (x) => {
    const distance = sum(squared(sub(x, tensor1d(y))), 1, true);
    return concat([zerosLike(distance), distance], 1) as Tensor2D;
  };

  it.each([1, 4])('leads away from a point as the released test says, in %i steps', (steps) => {
    const adversarial = tidy(() => vMoePgd({ eps: 0.1, steps }).perturb(away, tensor2d([[0.1, 0.2, 0, -0.3]]), tensor1d([0], 'int32'), { rng: createRng(1) }).adversarial.dataSync());
    expect(Array.from(adversarial)).toBeAllClose([0, 0.3, 0, -0.4], { atol: 1e-6 });
  });

  it('leaves the range of pixels, and returns the last point', () => {
    const adversarial = tidy(() => vMoePgd({ eps: 0.1 }).perturb(away, tensor2d([[-1, 1, 0.5, 1]]), tensor1d([0], 'int32'), { rng: createRng(1) }).adversarial.dataSync());
    expect(Array.from(adversarial)).toBeAllClose([-1.1, 1.1, 0.6, 1.1], { atol: 1e-6 });
    expect(vMoePgd()).toMatchObject({ name: 'pgd:v-moe', options: { eps: 1 / 127.5, steps: 40, stepSize: 1 / 127.5 / 40, start: 'none', goal: 'lastStep' } });
    expect(() => vMoePgd({ steps: 0 })).toThrow(/vMoePgd: steps must be an integer ≥ 1/);
  });
});
