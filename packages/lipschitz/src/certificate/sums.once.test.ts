import type { SoundBound } from '@moe/core';
import { createRng } from '@moe/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { certifiedAccuracy } from './certified-accuracy.js';
import { dualCertificate } from './dual-certificate.js';
import { ensembleCertificate } from './ensemble-certificate.js';
import { marginCertificate } from './margin-certificate.js';
import { ballSet, directionalRadius, ellipsoidSet, hullSet, minkowskiSum, polytopeSet, softmaxMixtureSet } from './support-sets.js';

const bound = (value: number, norm: SoundBound['norm'] = 'L2'): SoundBound => ({ value, status: 'upper', norm, domain: 'global', method: 'test' });

describe('marginCertificate', () => {
  it('is the smallest margin over its bound', () => {
    expect(marginCertificate({ margins: [3, 1], bounds: [bound(10), bound(2)] })).toMatchObject({ radius: expect.closeTo(0.3, 12), status: 'lipschitz', confidence: 1 });
    expect(marginCertificate({ margins: [3, 0], bounds: bound(1) })).toMatchObject({ radius: 0, status: 'vacuous' });
    expect(marginCertificate({ margins: [3], bounds: { ...bound(1), domain: { norm: 'L2', radius: 0.5 } } }).radius).toBe(0.5);
    expect(marginCertificate({ margins: [3], bounds: bound(0) }).radius).toBe(Infinity);
  });
});

describe('dualCertificate', () => {
  it('is (α m − (1 − α)) / (α L) whatever the standard model does', () => {
    // 0.7 · 0.9 − 0.3 = 0.33; 0.33 / (0.7 · 2)
    expect(dualCertificate({ alpha: 0.7, margins: [0.9], bounds: bound(2) }).radius).toBeCloseTo(0.33 / 1.4, 12);
    // Below (1 − α) / α = 0.4286 nothing is left.
    expect(dualCertificate({ alpha: 0.7, margins: [0.9, 0.42], bounds: bound(2) })).toMatchObject({ radius: 0, status: 'vacuous' });
    expect(dualCertificate({ alpha: 1, margins: [0.9], bounds: bound(2) }).radius).toBeCloseTo(0.45, 12);
  });

  it('takes what is known of the standard model where that is more', () => {
    const standard = (margin: number, slope: number) => dualCertificate({ alpha: 0.5, margins: [0.5], bounds: bound(1), standard: [{ margin, bound: bound(slope) }] }).radius;
    // Alone nothing, as 0.5 < 1; together (0.25 + 0.5 m) / (0.5 + 0.5 L).
    expect(standard(0.7, 3)).toBeCloseTo(0.6 / 2, 12);
    expect(standard(-0.6, 3)).toBe(0);
    // An interval: at least 0.2 within 0.4, so 0.35 / 0.5 would do, up to 0.4.
    expect(dualCertificate({ alpha: 0.5, margins: [0.5], bounds: bound(1), standard: [{ margin: 0.2, bound: { ...bound(0), domain: { norm: 'L2', radius: 0.4 } } }] }).radius).toBe(0.4);
    // A useless bound of it does not harm.
    expect(dualCertificate({ alpha: 0.7, margins: [0.9], bounds: bound(2), standard: [{ margin: -1, bound: bound(Infinity) }] }).radius).toBeCloseTo(0.33 / 1.4, 12);
  });

  it('is not broken by any output of a standard model, for random robust ones', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const [alpha, margin, slope] = createRng(seed).uniform(3, 0.5, 1);
      const { radius } = dualCertificate({ alpha: alpha!, margins: [margin!], bounds: bound(slope!) });
      if (radius > 0) expect(alpha! * (margin! - slope! * radius) - (1 - alpha!)).toBeGreaterThanOrEqual(0);
    }
  });

  it('refuses margins that are not those of probabilities, and what is not sound', () => {
    expect(() => dualCertificate({ alpha: 0.5, margins: [0.5], bounds: bound(1), standard: [{ margin: 2, bound: bound(1) }] })).toThrow('standard[0].margin must be a finite number in [-1, 1]');
    expect(() => dualCertificate({ alpha: 0, margins: [0.5], bounds: bound(1) })).toThrow('alpha must be a finite number');
    // @ts-expect-error an estimate certifies nothing
    expect(() => dualCertificate({ alpha: 0.5, margins: [0.5], bounds: bound(1), standard: [{ margin: 0, bound: { ...bound(1), status: 'estimate' } }] })).toThrow("got 'estimate'");
  });
});

describe('ensembleCertificate', () => {
  const half = [0.5, 0.5];

  it('of margins (1, 3) and (3, 1) is that of 2, above both members', () => {
    const members = [[1, 3], [3, 1]].map((margins) => ({ margins, bounds: bound(1) }));
    expect(ensembleCertificate({ weights: half, members }).radius).toBeCloseTo(2, 12);
    expect(marginCertificate(members[0]!).radius).toBeCloseTo(1, 12);
    // The same runner-up: the mean of the members, no more.
    expect(ensembleCertificate({ weights: half, members: [[1, 3], [2, 5]].map((margins) => ({ margins, bounds: bound(1) })) }).radius).toBeCloseTo(1.5, 12);
  });

  it('is never below the mean of its members where they share their bounds', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.double({ min: 0, max: 5, noNaN: true }), fc.double({ min: 0, max: 5, noNaN: true })), { minLength: 1, maxLength: 5 }), (margins) => {
        const members = margins.map((each) => ({ margins: each, bounds: bound(3) }));
        const mean = members.reduce((sum, member) => sum + marginCertificate(member).radius, 0) / members.length;
        expect(ensembleCertificate({ weights: members.map(() => 1 / members.length), members }).radius).toBeGreaterThanOrEqual(mean * (1 - 1e-12));
      }),
      { seed: 9, numRuns: 50 },
    );
  });

  it('takes a member that prefers another class, and refuses members of other classes or norms', () => {
    expect(ensembleCertificate({ weights: half, members: [{ margins: [5], bounds: bound(1) }, { margins: [-1], bounds: bound(3) }] }).radius).toBeCloseTo(1, 12);
    const first = { margins: [1, 2], bounds: bound(1) };
    expect(() => ensembleCertificate({ weights: half, members: [first, { margins: [1], bounds: bound(1) }] })).toThrow('members[1].margins must have 2 entries');
    expect(() => ensembleCertificate({ weights: half, members: [first, { margins: [1, 2], bounds: bound(1, 'Linf') }] })).toThrow("members[1].bounds must be in 'L2'");
    expect(() => ensembleCertificate({ weights: [0.5, -0.5], members: [first, first] })).toThrow('weights[1] must be a finite number ≥ 0');
    // @ts-expect-error a lower bound certifies nothing
    expect(() => ensembleCertificate({ weights: [1], members: [{ margins: [1], bounds: { ...bound(1), status: 'lower' } }] })).toThrow("got 'lower'");
  });
});

describe('gradient sets', () => {
  const square = polytopeSet({ shape: [2, 4], values: [1, 1, -1, -1, 1, -1, 1, -1] });

  it('have the support functions of a ball, a square, an ellipse, their sums and hulls', () => {
    const d = Float64Array.of(3, -4);
    expect(ballSet(bound(2)).support(d)).toBeCloseTo(10, 12);
    expect(ballSet(bound(2, 'Linf')).support(d)).toBeCloseTo(8, 12);
    expect(square.support(d)).toBeCloseTo(7, 12);
    expect(ellipsoidSet({ shape: [2, 2], values: [2, 0, 0, 1] }).support(d)).toBeCloseTo(Math.hypot(6, 4), 12);
    expect(minkowskiSum([square, ballSet(bound(2))], [2, -0.5]).support(d)).toBeCloseTo(14 + 5, 12);
    expect(hullSet([square, ballSet(bound(2))]).support(d)).toBeCloseTo(10, 12);
    const gradient = polytopeSet({ shape: [2, 1], values: [1, 2] });
    expect(gradient.support(d)).toBeCloseTo(-5, 12);
    expect(minkowskiSum([gradient], [-1]).support(d)).toBeCloseTo(5, 12);
    // @ts-expect-error a lower bound contains no gradient for sure
    expect(() => ballSet({ ...bound(2), status: 'lower' })).toThrow("got 'lower'");
  });

  it('certify a linear classifier exactly, in every direction', () => {
    // Margin 6 falls by ⟨(1, 2), d⟩.
    const fall = minkowskiSum([polytopeSet({ shape: [2, 1], values: [1, 2] })]);
    expect(directionalRadius([{ margin: 6, fall }], [1, 1])).toBeCloseTo(2, 12);
    expect(directionalRadius([{ margin: 6, fall }], [1, 1])).toBeLessThanOrEqual(2);
    expect(directionalRadius([{ margin: 6, fall }], [-1, 0])).toBe(Infinity);
    expect(directionalRadius([{ margin: 6, fall }, { margin: 0, fall }], [1, 1])).toBe(0);
  });

  it('let directions in which no scores differ go without paying for the router', () => {
    // Two scalar experts, gradients in balls of 1; scores (x₁, −x₁) and a distance of 8: 1 + 8 · 2 / 4 along x₁, 1 along x₂.
    const disagreement = { kind: 'disagreement', value: 8, status: 'upper', norm: 'L2', domain: 'global', method: 'test' } as const;
    const set = softmaxMixtureSet({ experts: [ballSet(bound(1)), ballSet(bound(1))], disagreement, kernel: { shape: [2, 2], values: [1, -1, 0, 0] } });
    expect(set.support(Float64Array.of(1, 0))).toBeCloseTo(5, 12);
    expect(set.support(Float64Array.of(0, 1))).toBeCloseTo(1, 12);
    expect(directionalRadius([{ margin: 1, fall: set }], [0, 1])).toBeCloseTo(1, 12);
    // f = x₂ ± 4, weighted by the sigmoid of 2 x₁: slope 4 = 8 · 2 / 4 along x₁ at 0, all of it the router's.
    const f = (x: number, y: number): number => y + 4 * Math.tanh(x);
    expect(f(1e-6, 0) / 1e-6).toBeLessThanOrEqual(set.support(Float64Array.of(1, 0)) - 1 + 1e-9);
    expect(f(1e-6, 0) / 1e-6).toBeCloseTo(4, 6);
  });
});

describe('certifiedAccuracy', () => {
  const examples = [0.4, 0.1, 0, 2, Infinity].map((radius, i) => ({ radius, correct: i !== 3 }));

  it('is the share that is right and certified to each radius, with its interval', () => {
    expect(certifiedAccuracy(examples, [0, 0.1, 0.11, 5]).map(({ certifiedAccuracy: share }) => share)).toEqual([0.8, 0.6, 0.4, 0.2]);
    expect(certifiedAccuracy(examples, [0])[0]!.interval.low).toBeCloseTo(0.3755, 3);
  });

  it('is evaluated where it falls if no radii are given', () => {
    expect(certifiedAccuracy(examples).map(({ radius, certifiedAccuracy: share }) => [radius, share])).toEqual([[0, 0.8], [0.1, 0.6], [0.4, 0.4]]);
    expect(() => certifiedAccuracy([])).toThrow('at least one example');
    expect(() => certifiedAccuracy([{ correct: true, radius: NaN }])).toThrow('examples[0].radius must be a number ≥ 0');
  });
});
