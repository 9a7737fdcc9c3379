import { type LogitsFn, createRng } from '@moe/core';
import { tensor, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { AttackNorm } from './geometry/geometry.js';
import { square } from './square.js';
import { predictions, tinyNet } from './testing/models.js';

const [ROWS, SIZE] = [12, 16];
const images = createRng(5).uniform(ROWS * SIZE);

/** Points and verdicts on images of four by four, and how many points were asked. */
function run(model: LogitsFn, labels: Int32Array, options: Parameters<typeof square>[0]): { success: number[]; points: number[][]; asked: number } {
  let asked = 0;
  const counting: LogitsFn = (x) => {
    asked += x.shape[0]!;
    return model(x);
  };
  return tidy(() => {
    const found = square(options).perturb(counting, tensor(images, [ROWS, 4, 4, 1]), tensor1d(labels, 'int32'), { rng: createRng(2) });
    const values = Array.from(found.adversarial.dataSync());
    return { success: Array.from(found.success.dataSync()), points: Array.from({ length: ROWS }, (_, row) => values.slice(row * SIZE, (row + 1) * SIZE)), asked };
  });
}

describe('square that gives up', () => {
  it.each([
    ['Linf', 0.05],
    ['L2', 0.2],
    ['L1', 0.6],
  ] satisfies [AttackNorm, number][])('%s: finds the same points as without, where it finds any, for fewer queries', (norm, eps) => {
    const net = tinyNet(SIZE, 4, 7);
    const labels = tidy(() => predictions(net, tensor(images, [ROWS, 4, 4, 1])));
    const [all, some] = [run(net, labels, { eps, norm, queries: 120 }), run(net, labels, { eps, norm, queries: 120, giveUp: true })];
    expect(some.success).toContain(1);
    expect(some.success).toContain(0);
    expect(some.asked).toBeLessThan(0.7 * all.asked);
    some.success.forEach((success, row) => {
      if (success === 1) expect(some.points[row]).toEqual(all.points[row]);
    });
  });

  it('spends no more than a tenth of its queries on a model that never changes its mind', () => {
    const flat: LogitsFn = (x) => tensor2d(Array.from({ length: x.shape[0]! }, () => [1, 0]));
    const { asked, success } = run(flat, new Int32Array(ROWS), { eps: 0.1, queries: 200, giveUp: true });
    expect(asked).toBe(ROWS * (1 + 20));
    expect(success).not.toContain(1);
  });

  it('refuses what is neither true nor false', () => {
    expect(() => square({ eps: 0.1, giveUp: 1 as unknown as boolean })).toThrow('square: giveUp must be true or false, got 1.');
  });
});
