import { type Tensor2D, concat, mul, square, sub, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { createRng, restoreRng } from '@moe/core';
import type { LogitsFn } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { type ApgdOptions, apgd } from './apgd.js';
import { linearModel } from './testing/models.js';

/** Points that the model saw in the attack of one number, x = 0.5 with eps = 0.2, after the clean pass; the loss peaks at `peak`. */
function path(peak: number, options: Omit<ApgdOptions, 'eps'>, offset = -1): { points: number[]; success: number } {
  const points: number[] = [];
  const model: LogitsFn = (x) => {
    points.push(x.dataSync()[0]!);
    // z1 - z0 = offset - (x - peak)²
    const rival = sub(offset, square(sub(x, peak)));
    return concat([mul(x, 0), rival], 1) as Tensor2D;
  };
  const success = tidy(() => apgd({ eps: 0.2, ...options }).perturb(model, tensor2d([[0.5]]), tensor1d([0], 'int32'), { rng: createRng(SEED) }).success.dataSync()[0]!);
  return { points: points.slice(1), success };
}

/** A seed whose first start is 0.3, the low end of the ball, by a uniform draw and by a normal one. */
const SEED = Array.from({ length: 50 }, (_, seed) => createRng(seed).stream('apgd').at(0, 0)).findIndex((rng) => rng.uniform(1, -1, 1)[0]! < 0 && restoreRng({ ...rng.state(), counter: 0 }).normal(1)[0]! < 0);

describe('apgd', () => {
  it('takes the hand-worked steps of the paper variant', () => {
    // step size 0.4; z clipped to [0.3, 0.7]; next = x + 0.75 (z - x) + 0.25 (x - x_before); peak at 0.58.
    // 0.3 → 0.7 (no momentum at first) → .7 + .75(-.4) + .25(.4) = .5 → .5 + .75(.2) + .25(-.2) = .6
    // → .6 + .75(-.3) + .25(.1) = .4 → .4 + .75(.3) + .25(-.2) = .575; checkpoint 5: 4 rises of 5 ≥ 3.75, no halving
    // → .575 + .75(.125) + .25(.175) = .7125, clipped .7 → .7 + .75(-.4) + .25(.125) = .43125 → .565625 → .7
    // Checkpoint 9: 1 rise of 4, halve to 0.2, back to the best point .575 without momentum → .575 + .75(.125) = .66875
    const { points } = path(0.58, { steps: 20 });
    expect(points.slice(0, 11)).toBeAllClose([0.3, 0.7, 0.5, 0.6, 0.4, 0.575, 0.7, 0.43125, 0.565625, 0.7, 0.66875]);
  });

  it('takes the hand-worked steps of the AutoAttack variant', () => {
    // The same up to 0.4; checkpoint 4: 3 rises of 4 are exactly 75 %, so it halves to 0.2 and returns to the best point, 0.6,
    // which is also the point before: no momentum. .6 + .75(-.2) = .45 → gradient up, .45 + .75(.2) + .25(.45 - .6) = .5625
    // → z = .7: .5625 + .75(.1375) + .25(.1125) = .69375; checkpoint 7: 2 rises of 3 ≤ 2.25, halve to 0.1, back to .5625
    // → .5625 + .75(.1) = .6375 → .6375 + .75(-.1) + .25(.075) = .58125; checkpoint 9: 2 rises of 2
    // → .58125 + .75(-.1) + .25(-.05625) = .4921875; checkpoint 10: no rise, halve to 0.05, back to .58125
    // → .58125 + .75(-.05) = .54375; checkpoint 11: a rise, but only over the abandoned .4921875
    // → .54375 + .75(.05) + .25(-.0375) = .571875; checkpoint 12: nothing gained since 11, halve to 0.025, back to .58125,
    // where the momentum is the way from .54375 → .58125 + .75(-.025) + .25(.0375) = .571875
    const { points } = path(0.58, { steps: 20, variant: 'autoattack' });
    expect(points.slice(0, 14)).toBeAllClose([0.3, 0.7, 0.5, 0.6, 0.4, 0.45, 0.5625, 0.69375, 0.6375, 0.58125, 0.4921875, 0.54375, 0.571875, 0.571875]);
  });

  it('takes the hand-worked steps of L1', () => {
    // No momentum; a checkpoint after every step; first step size eps = 0.2: 0.3 → 0.5 → 0.7.
    // At 0.5, the clean input, the best point changes nothing, which is sparser: step size 0.2 again. From then on it changes no less,
    // so the step size falls by a third: 0.7 - 2/15 = 0.56667 → + 4/45 = 0.65556 → - 8/135 = 0.59630 → - 16/405 = 0.55679.
    const { points } = path(0.58, { steps: 20, norm: 'L1', multiEps: false });
    expect(points.slice(0, 7)).toBeAllClose([0.3, 0.5, 0.7, 0.566667, 0.655556, 0.596296, 0.55679], { atol: 2e-6 });
  });

  it.each([true, false])('decides a linear model of 60 numbers in L1 to half a thousandth (multiEps: %s)', (multiEps) => {
    const rng = createRng(3);
    const [w, x] = [Array.from(rng.stream('w').uniform(60, -1, 1)), rng.stream('x').uniform(60, 0.3, 0.7)];
    const lead = 0.2 + w.reduce((total, value, i) => total + value * x[i]!, 0);
    const model = linearModel(w.map((value) => [0, value]), [lead, 0]);
    const verdict = (factor: number): number =>
      tidy(() => apgd({ eps: (factor * 0.2) / Math.max(...w.map(Math.abs)), norm: 'L1', multiEps }).perturb(model, tensor2d(x, [1, 60]), tensor1d([0], 'int32'), { rng: createRng(1) }).success.dataSync()[0]!);
    expect([verdict(0.9995), verdict(1.0005)]).toEqual([0, 1]);
  });

  it('looks into larger balls first in L1, and counts only what lies in its own', () => {
    // Wrong from 0.8 on: within the first two balls, but not within 0.2 of 0.5.
    const { points, success } = path(2, { steps: 20, norm: 'L1' }, 1.44);
    expect(Math.max(...points.slice(0, 7))).toBeCloseTo(1, 6);
    expect(Math.max(...points.slice(14))).toBeCloseTo(0.7, 6);
    expect(success).toBe(0);
    expect(points).toHaveLength(23);
  });

  it('homes in on a peak inside the ball', () => {
    expect(path(0.58, { steps: 100 }).points.slice(-5)).toBeAllClose([0.58, 0.58, 0.58, 0.58, 0.58], { atol: 0.01 });
  });

  it('stops at the first point that fools the model, and runs on in the AutoAttack variant', () => {
    // Fooled where 0.0001 > (x - 0.58)²; reached at 0.575.
    const paper = path(0.58, { steps: 20 }, 0.0001);
    expect(paper.success).toBe(1);
    expect(paper.points).toHaveLength(6);
    expect(path(0.58, { steps: 20, variant: 'autoattack' }, 0.0001).points).toHaveLength(21);
  });

  it('costs one forward and one backward pass a step', () => {
    expect(path(0.58, { steps: 20 }).points).toHaveLength(21);
    expect(path(0.58, { steps: 20, restarts: 3 }).points).toHaveLength(63);
  });

  it('returns the last misclassified point in the AutoAttack variant', () => {
    const seen: number[] = [];
    const model: LogitsFn = (x) => {
      seen.push(x.dataSync()[0]!);
      return concat([mul(x, 0), sub(0.0049, square(sub(x, 0.58)))], 1) as Tensor2D; // fooled within 0.07 of 0.58
    };
    const { adversarial } = apgd({ eps: 0.2, steps: 6, variant: 'autoattack' }).perturb(model, tensor2d([[0.5]]), tensor1d([0], 'int32'), { rng: createRng(SEED) });
    const fooling = seen.slice(1).filter((x) => Math.abs(x - 0.58) < 0.07);
    expect(fooling.length).toBeGreaterThan(1);
    expect(adversarial).toBeAllClose([fooling.at(-1)!]);
  });

  it.each([
    [{ eps: -1 }, /eps must be a finite number ≥ 0/],
    [{ eps: 0.1, steps: 0 }, /steps must be an integer ≥ 1/],
    [{ eps: 0.1, norm: 'L0' }, /norm must be one of 'Linf', 'L2', 'L1', got 'L0'/],
    [{ eps: 0.1, multiEps: true }, /multiEps must be false for Linf/],
    [{ eps: 0.1, variant: 'AA' }, /variant must be one of 'paper', 'autoattack'/],
    [{ eps: 0.1, loss: 'mse' }, /loss must be one of 'ce', 'cw', 'dlr'/],
    [{ eps: 0.1, bounds: [1, 0] }, /bounds must rise/],
    [{ eps: 0.1, stepSize: 1 }, /unknown option 'stepSize'/],
    [{}, /eps must be a finite number/],
  ] as [ApgdOptions, RegExp][])('refuses %j', (options, message) => {
    expect(() => apgd(options)).toThrow(message);
  });
});
