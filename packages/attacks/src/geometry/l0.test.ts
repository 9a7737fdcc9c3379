import { createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { distanceL0, projectL0 } from './l0.js';

describe('projectL0', () => {
  const project = (point: number[], centre: number[], eps: number): number[] => Array.from(projectL0(Float32Array.from(point), Float32Array.from(centre), { eps, bounds: [0, 1] }, new Float32Array(point.length)));

  it('keeps the changes that bounds leave largest', () => {
    // The first change is cut to 0.1; what it comes nearer by, 1.1² - 1² = 0.21, is less than 0.5² = 0.25.
    expect(project([2, 0, 0.5], [0.9, 0.5, 0.5], 1)).toBeAllClose([0.9, 0, 0.5]);
    expect(project([2, 0, 0.5], [0.9, 0.5, 0.5], 2)).toBeAllClose([1, 0, 0.5]);
  });

  it('rounds its radius down, keeps the first of equal changes, and nothing in a ball of none', () => {
    expect(project([0.75, 0.25, 0.75], [0.5, 0.5, 0.5], 1.9)).toEqual([0.75, 0.5, 0.5]);
    expect(project([0.75, 0.25, 0.75], [0.5, 0.5, 0.5], 0)).toEqual([0.5, 0.5, 0.5]);
    expect(project([0.75, 0.25, 0.75], [0.5, 0.5, 0.5], 7)).toEqual([0.75, 0.25, 0.75]);
  });

  it('is as near as the nearest of all choices of coordinates', () => {
    const rng = createRng(1);
    for (let trial = 0; trial < 20; trial++) {
      const [point, centre] = [rng.uniform(6, -0.5, 1.5), rng.uniform(6)];
      const away = (found: Float32Array): number => Math.hypot(...point.map((value, i) => value - found[i]!));
      const choices = Array.from({ length: 2 ** 6 }, (_, set) => point.map((value, i) => ((set >> i) & 1 ? Math.min(Math.max(value, 0), 1) : centre[i]!))).filter((found) => distanceL0(found, centre) <= 2);
      const found = projectL0(point, centre, { eps: 2, bounds: [0, 1] }, new Float32Array(6));
      expect(distanceL0(found, centre)).toBeLessThanOrEqual(2);
      expect(away(found)).toBeCloseTo(Math.min(...choices.map(away)), 6);
    }
  });
});
