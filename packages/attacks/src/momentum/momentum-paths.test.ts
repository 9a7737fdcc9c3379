// Paths that an independent program worked out: fixtures/momentum.py.
import { type LogitsFn, createRng } from '@moe/core';
import { type Tensor2D, add, concat, mul, reshape, sin, sum, tensor1d, tensor4d, tidy, zeros } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import golden from '../../fixtures/momentum.json' with { type: 'json' };
import { drawShrink } from './input-diversity.js';
import { mifgsm } from './mifgsm.js';

const { shape, eps, stepSize, steps, shrinks, x, a, b, c, cases } = golden;
const [height = 0, width = 0] = shape;
const DIVERSITY = 0.7;

/** Lead of the second class: the sum of a sin(b x + c). */
const waves: LogitsFn = (images) => {
  const flat = reshape(images, [1, x.length]);
  const lead = sum(mul(sin(add(mul(flat, tensor1d(b)), tensor1d(c))), tensor1d(a)), 1, true);
  return concat([zeros([1, 1]), lead], 1) as Tensor2D;
};

describe('mifgsm', () => {
  it('draws the smaller pictures that the oracle was given', () => {
    const drawn = Array.from({ length: steps }, (_, step) => drawShrink({ height, width, channels: 1 }, DIVERSITY, createRng(1).stream('mifgsm').at(0, 0).at(step)));
    expect(drawn.map((by) => (by === undefined ? null : [by.rows.first.length, by.columns.first.length, by.top, by.left]))).toEqual(shrinks);
  });

  it.each(cases)('$options goes the way of the oracle', ({ options: { diverse = false, ...options }, means, last }) => {
    const seen: number[] = [];
    const watched: LogitsFn = (images) => {
      const values = Array.from(images.dataSync());
      seen.push(values.reduce((total, value) => total + value, 0) / values.length);
      return waves(images);
    };
    const attack = mifgsm({ eps, steps, stepSize, loss: 'cw', goal: 'lastStep', ...options, ...(diverse && { diversity: DIVERSITY }) });
    const found = tidy(() => Array.from(attack.perturb(watched, tensor4d(x, [1, height, width, 1]), tensor1d([0], 'int32'), { rng: createRng(1) }).adversarial.dataSync()));
    expect(seen).toBeAllClose(means, { atol: 2e-6 });
    expect(found).toBeAllClose(last, { atol: 2e-6 });
  });
});
