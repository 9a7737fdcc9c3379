import { describe, expect, it } from 'vitest';
import { checkpoints, createStepControl } from './step-control.js';

describe('checkpoints', () => {
  it.each([
    [10, [3, 5, 6, 7, 8, 9, 10]],
    [20, [5, 9, 12, 14, 16, 18, 19, 20]],
    [50, [11, 21, 29, 35, 40, 44, 47, 50]],
    [100, [22, 41, 57, 70, 80, 87, 93, 99]],
    [200, [44, 82, 114, 140, 160, 174, 186, 198]],
  ])('of the paper for %i steps', (steps, expected) => {
    expect(checkpoints('paper', steps)).toEqual(expected);
  });

  it.each([
    [10, [2, 3, 4, 5, 6, 7, 8, 9, 10]],
    [20, [4, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]],
    [50, [11, 21, 30, 38, 45]],
    [100, [22, 41, 57, 70, 80, 87, 93, 99]],
    [200, [44, 82, 114, 140, 160, 174, 186, 198]],
  ])('of the released code for %i steps', (steps, expected) => {
    const all = checkpoints('autoattack', steps);
    expect(steps === 50 ? all.slice(0, 5) : all).toEqual(expected);
  });
});

describe('createStepControl', () => {
  it.each(['paper', 'autoattack'] as const)('halves at every checkpoint once a linear model has been climbed (%s)', (variant) => {
    const control = createStepControl(variant, checkpoints(variant, 100), 1, 0.3);
    const halvings: number[] = [];
    const sizes: number[] = [];
    for (let step = 1; step <= 100; step++) {
      // The corner is reached in the first step; the loss stays 0.9.
      if (control.observe(0.9) !== 'restart-from-best') continue;
      halvings.push(step);
      sizes.push(control.stepSize());
    }
    expect(halvings).toEqual([22, 41, 57, 70, 80, 87, 93, 99]);
    expect(sizes).toEqual([1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256]);
  });

  const verdicts = (variant: 'paper' | 'autoattack', marks: number[], startLoss: number, losses: number[]): string =>
    losses.map(((control) => (loss: number) => (control.observe(loss) === 'go-on' ? '.' : 'H'))(createStepControl(variant, marks, 1, startLoss))).join('');

  it('halves at exactly 75 % of rises in the released code only', () => {
    expect(verdicts('paper', [4], 1, [2, 3, 4, 3])).toBe('....');
    expect(verdicts('autoattack', [4], 1, [2, 3, 4, 3])).toBe('...H');
  });

  it('compares the first loss with the start, or with 0 as the released code does', () => {
    // Falling to a positive loss is a rise from 0: 1 of 1 steps.
    expect(verdicts('paper', [1], 5, [4])).toBe('H');
    expect(verdicts('autoattack', [1], 5, [4])).toBe('.');
    // A negative loss, as of DLR at a correct point, is none.
    expect(verdicts('autoattack', [1], -5, [-4])).toBe('H');
  });

  it('compares the loss after a halving with the best one, or with the abandoned one as the released code does', () => {
    // Best 3, abandoned 1; then 2 is no rise from 3 but one from 1.
    expect(verdicts('paper', [2, 3], 2, [3, 1, 2])).toBe('.HH');
    expect(verdicts('autoattack', [2, 3], 2, [-1, -2, -1.5])).toBe('.H.');
  });

  it('halves for want of gain, but not at the first checkpoint and not twice running', () => {
    // 3 rises of 4, never above the start's 9: at the second checkpoint nothing was gained since the first.
    expect(verdicts('paper', [4, 8, 12, 16], 9, [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 1, 2, 3, 4])).toBe('.......H.......H');
  });
});
