import { createRng } from '@moe/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AttackNorm, GEOMETRIES } from './geometry.js';
import { projectL1, randomStartL1 } from './l1.js';
import { projectL2, randomStartL2 } from './l2.js';
import { projectLinf, randomStartLinf } from './linf.js';

const array = (...values: number[]): Float32Array => Float32Array.from(values);

describe('projectLinf', () => {
  it('cuts each coordinate to the ball and then to the bounds', () => {
    const ball = { eps: 0.25, bounds: [0, 1] } as const;
    expect(projectLinf(array(0.9, 0.5, -1, 2), array(0.5, 0.5, 0.125, 0.875), ball)).toEqual(array(0.75, 0.5, 0, 1));
  });
});

describe('projectL2', () => {
  it('shortens the difference to eps, and leaves points inside alone', () => {
    // (0.3, 0.4) has length 0.5; half of it is left.
    const ball = { eps: 0.25, bounds: [0, 1] } as const;
    expect(projectL2(array(0.8, 0.9), array(0.5, 0.5), ball)).toBeAllClose([0.65, 0.7]);
    expect(projectL2(array(0.6, 0.6), array(0.5, 0.5), ball)).toEqual(array(0.6, 0.6));
    expect(projectL2(array(1.5, 0.5), array(0.9, 0.5), ball)).toBeAllClose([1, 0.5]);
  });

  it('stays within the promised slack when every coordinate rounds the same way', () => {
    for (const eps of [1e-6, 1e-4, 0.01, 0.5]) {
      const centre = new Float32Array(20_000).fill(0.7);
      const result = projectL2(centre.map((value) => value + 0.2), centre, { eps, bounds: [0, 1] });
      expect(GEOMETRIES.L2.distance(result, centre)).toBeLessThanOrEqual(eps * (1 + 1e-6) + 1e-7);
    }
  });

  it('ends on NaN', () => {
    expect(projectL2(array(Number.NaN), array(0.5), { eps: 0.1, bounds: [0, 1] })[0]).toBeNaN();
  });
});

describe('projectL1', () => {
  const ball = { eps: 0.5, bounds: [0, 1] } as const;

  it('shortens every coordinate alike, within its room', () => {
    // u = (0.6, -0.2), room 0.5: μ = 0.15 gives 0.45 + 0.05 = 0.5.
    expect(projectL1(array(1.1, 0.3), array(0.5, 0.5), ball)).toBeAllClose([0.95, 0.45]);
    // u = (0.9, 0.6), room (0.2, 0.5): the first stays at its bound, the second keeps the rest of eps.
    expect(projectL1(array(1.7, 1.1), array(0.8, 0.5), ball)).toBeAllClose([1, 0.8]);
    // Within the ball once cut to the bounds: nothing is shortened.
    expect(projectL1(array(2, 0.7), array(0.9, 0.5), ball)).toBeAllClose([1, 0.7]);
  });

  it('leaves coordinates that it does not move exactly as they were', () => {
    expect(projectL1(array(0.95, 0.30001), array(0.3, 0.3), ball)[1]).toBe(Math.fround(0.3));
  });

  it('is nearer than any other point of ball and bounds', () => {
    const rng = createRng(4);
    for (let trial = 0; trial < 30; trial++) {
      const [point, centre] = [rng.uniform(5, -1, 2), rng.uniform(5)];
      const nearest = projectL1(point, centre, ball);
      const away = GEOMETRIES.L2.distance(point, nearest);
      for (let other = 0; other < 50; other++) {
        const candidate = projectL1(nearest.map((value) => value + 0.2 * rng.normal(1)[0]!), centre, ball);
        expect(GEOMETRIES.L2.distance(point, candidate)).toBeGreaterThanOrEqual(away - 1e-6);
      }
    }
  });

  it('stays within the promised slack when every coordinate rounds the same way', () => {
    for (const eps of [1e-6, 1e-3, 2]) {
      const centre = new Float32Array(20_000).fill(0.7);
      const result = projectL1(centre.map((value) => value + 0.2), centre, { eps, bounds: [0, 1] });
      expect(GEOMETRIES.L1.distance(result, centre)).toBeLessThanOrEqual(eps * (1 + 1e-6) + 1e-7);
    }
  });

  it('ends on NaN', () => {
    expect(projectL1(array(Number.NaN), array(0.5), ball)[0]).toBeNaN();
  });
});

describe.each(['Linf', 'L2', 'L1'] satisfies AttackNorm[])('geometry of %s', (norm) => {
  const { project, randomStart, distance, ascend } = GEOMETRIES[norm];
  const unit = fc.float({ min: 0, max: 1, noNaN: true });
  const anywhere = fc.float({ min: -3, max: 3, noNaN: true });

  it('projects into ball and bounds, leaves points there alone, and may write in place', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(unit, anywhere), { minLength: 1, maxLength: 12 }), fc.constantFrom(0, 1e-3, 0.1, 1), (pairs, eps) => {
        const centre = Float32Array.from(pairs, ([c]) => c);
        const point = Float32Array.from(pairs, ([, p]) => p);
        const ball = { eps, bounds: [0, 1] } as const;
        const once = project(point, centre, ball, new Float32Array(point.length));
        expect(distance(once, centre)).toBeLessThanOrEqual(eps * (1 + 1e-6) + 1e-7);
        expect(once).toBeWithin(0, 1);
        expect(project(once, centre, ball, new Float32Array(point.length))).toBeAllClose(once, { rtol: 0, atol: 2e-7 });
        expect(project(point, centre, ball, point)).toEqual(once);
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  it('starts on the surface or anywhere in the ball, the same for the same stream', () => {
    const centre = new Float32Array(3).fill(0.5);
    const ball = { eps: 0.25, bounds: [0, 1] } as const;
    const radii = (kind: 'boundary' | 'uniform'): number[] =>
      Array.from({ length: 4000 }, (_, i) => distance(randomStart(centre, ball, kind, createRng(1).at(i), new Float32Array(3)), centre) / ball.eps);
    expect(Math.min(...radii('boundary'))).toBeAllClose(1, { atol: 1e-5 });
    const inside = radii('uniform');
    expect(inside).toBeWithin(0, 1 + 1e-6);
    // Uniform in the volume of three dimensions: P(radius ≤ r) = r³ for both norms; standard error 0.008.
    expect(inside.filter((radius) => radius <= 0.8).length / 4000).toBeAllClose(0.512, { atol: 0.03, rtol: 0 });
    const again = [1, 1, 2].map((stream) => randomStart(centre, ball, 'uniform', createRng(stream), new Float32Array(3)));
    expect(again[1]).toEqual(again[0]);
    expect(again[2]).not.toEqual(again[0]);
  });

  it('climbs by the step size in its own norm, and nowhere without a gradient', () => {
    const start = array(0.5, 0.5);
    const out = new Float32Array(2);
    ascend(start, array(3e-20, -4e-20), 0.1, out, [0, 1]);
    if (norm === 'Linf') expect(out).toBeAllClose([0.6, 0.4]);
    ascend(start, array(3, -4), 0.1, out, [0, 1]);
    expect(distance(out, start)).toBeAllClose(0.1);
    ascend(start, array(0, 0), 0.1, out, [0, 1]);
    expect(out).toEqual(start);
  });
});

describe('building blocks', () => {
  it('return a new array unless one is given, and refuse lengths that differ', () => {
    const centre = array(0.5);
    const ball = { eps: 0.1, bounds: [0, 1] } as const;
    expect([randomStartLinf, randomStartL2, randomStartL1].map((start) => start(centre, ball, 'boundary', createRng(1))).every((out) => out !== centre)).toBe(true);
    expect(() => projectLinf(array(1, 2), centre, ball)).toThrow(/point must have 1 entries/);
    expect(() => projectL1(array(1, 2), centre, ball)).toThrow(/point must have 1 entries/);
    expect(() => projectL2(array(1, 2), centre, ball)).toThrow(/point must have 1 entries/);
  });
});
