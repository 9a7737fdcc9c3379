import { describe, expect, it } from 'vitest';
import { constant } from './constant.js';
import { cosine } from './cosine.js';
import { cyclic } from './cyclic.js';
import { oneCycle } from './one-cycle.js';
import { piecewise } from './piecewise.js';
import { polynomial } from './polynomial.js';
import type { Schedule } from './schedule.js';
import { warmUp } from './warm-up.js';

const rates = (schedule: Schedule, positions: readonly number[], epochs: number): number[] => positions.map((position) => schedule.rate(position, epochs));

/** Compares to the three digits given. */
function expectRates(actual: readonly number[], expected: readonly number[]): void {
  actual.forEach((rate, i) => expect(Math.abs(rate / expected[i]! - 1), `rate ${i} is ${rate}`).toBeLessThan(1e-3));
}

describe('polynomial', () => {
  it('falls from base to almost zero', () => {
    // .1·(1 − e/200)^.9
    expectRates(rates(polynomial({ base: 0.1 }), [0, 1, 2, 100, 199], 200), [0.1, 0.09955, 0.0991, 0.05359, 0.000849]);
  });

  it('has the published accidental warm-up in its legacy form', () => {
    expectRates(rates(polynomial({ base: 0.1, legacy: true }), [0, 0.99, 1, 2, 199], 200), [0.001, 0.001, 0.09955, 0.0991, 0.000849]);
  });

  it('keeps the rate within an epoch unless told to follow the curve', () => {
    expect(polynomial({ base: 1, power: 1 }).rate(5.5, 10)).toBe(0.5);
    expect(polynomial({ base: 1, power: 1, per: 'step' }).rate(5.5, 10)).toBeCloseTo(0.45, 12);
  });
});

describe('cosine', () => {
  it('rises linearly, starts at base after the warm-up and ends at min', () => {
    const schedule = cosine({ base: 0.1, min: 5e-5, warmupEpochs: 5 });
    expectRates(rates(schedule, [0, 1, 4, 5], 200), [0.001, 0.0208, 0.0802, 0.1]);
    expect(schedule.rate(102.5, 200)).toBeCloseTo(schedule.rate(102, 200), 10);
    expect(cosine({ base: 0.1, min: 5e-5, warmupEpochs: 5, per: 'step' }).rate(102.5, 200)).toBeCloseTo((0.1 + 5e-5) / 2, 9);
    expect(schedule.rate(200, 200)).toBeCloseTo(5e-5, 12);
    const all = rates(schedule, Array.from({ length: 196 }, (_, i) => 5 + i), 200);
    all.slice(1).forEach((rate, i) => expect(rate).toBeLessThan(all[i]!));
  });

  it('has the published curve in its legacy form, rising at the end', () => {
    const schedule = cosine({ base: 0.1, min: 5e-5, warmupEpochs: 5, legacy: true });
    expectRates(rates(schedule, [0, 1, 2, 3, 4, 5, 195, 199], 200), [0.001, 0.0208, 0.0406, 0.0604, 0.0801, 0.0998, 5e-5, 1.537e-4]);
  });

  it('needs no warm-up', () => {
    expect(cosine({ base: 2 }).rate(0, 10)).toBe(2);
    expect(cosine({ base: 2 }).rate(5, 10)).toBeCloseTo(1, 12);
  });
});

describe('piecewise', () => {
  it('drops at each milestone', () => {
    expectRates(rates(piecewise({ base: 0.1, milestones: [100, 150] }), [0, 99.9, 100, 149, 150, 199], 200), [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]);
  });

  it('refuses milestones out of order', () => {
    expect(() => piecewise({ base: 1, milestones: [5, 5] })).toThrow('piecewise: milestones must be epochs ≥ 0 in ascending order, got [5, 5].');
  });
});

describe('constant', () => {
  it('stays', () => {
    expect(rates(constant({ base: 0.3 }), [0, 9.5], 10)).toEqual([0.3, 0.3]);
    expect(() => constant({ base: -1 })).toThrow('constant: base must be a finite number ≥ 0, got -1.');
  });
});

describe('cyclic', () => {
  it('is the triangle of fast adversarial training', () => {
    // 0 → .2 → 0 over 15 epochs
    expectRates(rates(cyclic({ base: 0.2 }), [3.75, 7.5, 11.25, 14.9], 15), [0.1, 0.2, 0.1, 0.2 * (0.1 / 7.5)]);
    expect(cyclic({ base: 0.2 }).rate(0, 15)).toBe(0);
  });

  it('rises for its share of each cycle, from min', () => {
    expectRates(rates(cyclic({ base: 3, min: 1, cycles: 2, rise: 0.2 }), [0, 0.5, 1, 3, 5, 6], 10), [1, 2, 3, 2, 1, 3]);
    expect(() => cyclic({ base: 1, rise: 1 })).toThrow('cyclic: rise must lie in (0, 1), got 1.');
  });
});

describe('oneCycle', () => {
  it('rises from base / 25 to base and falls to that / 10⁴, along half cosines, as in PyTorch', () => {
    // Halves of the way: (.04 + 1)/2, (1 + 4e-6)/2.
    expectRates(rates(oneCycle({ base: 1 }), [0, 1.5, 3, 6.5, 10], 10), [0.04, 0.52, 1, 0.500002, 4e-6]);
    // OneCycleLR(max_lr=1, total_steps=11, pct_start=.4) of PyTorch counts 3.4 of 10 steps to the peak: its steps 0, 1, 2, 5, 8, 10.
    expectRates(rates(oneCycle({ base: 1, rise: 0.34 }), [0, 1, 2, 5, 8, 10], 10), [0.04, 0.230735, 0.651358, 0.861868, 0.209975, 4e-6]);
  });

  it('may go along lines, between rates of its own', () => {
    expectRates(rates(oneCycle({ base: 3, start: 1, end: 2, rise: 0.5, anneal: 'linear' }), [0, 2.5, 5, 7.5, 10], 10), [1, 2, 3, 2.5, 2]);
    expect(() => oneCycle({ base: 1, start: 2 })).toThrow('oneCycle: start must');
    expect(() => oneCycle({ base: 1, rise: 1 })).toThrow('oneCycle: rise must lie in (0, 1), got 1.');
  });
});

describe('warmUp', () => {
  it('is a line to the rate of the schedule that follows', () => {
    const schedule = warmUp(constant({ base: 0.4 }), { epochs: 4, from: 0.2 });
    expectRates(rates(schedule, [0, 1.9, 2, 4, 9], 10), [0.2, 0.25, 0.3, 0.4, 0.4]);
    expectRates(rates(warmUp(constant({ base: 0.4 }), { epochs: 4, per: 'step' }), [1, 2.5], 10), [0.1, 0.25]);
  });

  it("has the predecessor's steps: 4.5e-5 more each epoch for 20 epochs, 1e-3 to epoch 80, 1e-4 to 119, then 1e-5", () => {
    const schedule = warmUp(piecewise({ base: 1e-3, milestones: [81, 120] }), { epochs: 20, from: 4.5e-5, to: 9.45e-4 });
    expectRates(rates(schedule, [0, 1, 19, 20, 80, 81, 119, 120], 150), [4.5e-5, 9e-5, 9e-4, 1e-3, 1e-3, 1e-4, 1e-4, 1e-5]);
  });

  it('compares the schedule that follows when a run is resumed', () => {
    expect(warmUp(constant({ base: 0.4 }), { epochs: 4 }).options).toEqual({ epochs: 4, from: 0, per: 'epoch', schedule: { name: 'constant', base: 0.4 } });
  });
});

it('every schedule names its options, so that a resume can compare them', () => {
  expect(JSON.parse(JSON.stringify(cosine({ base: 1 }))) as object).toEqual({
    name: 'cosine',
    options: { base: 1, min: 0, warmupEpochs: 0, per: 'epoch', legacy: false },
  });
});
