import { createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { V_MOE_LOGITS } from '../internal/testing-fixtures.js';
import { balancedAssignment } from './balanced-assignment.js';
import { sinkhornPlan } from './sinkhorn-plan.js';
import { projectLargest, sparsePlan } from './sparse-plan.js';

describe('sinkhornPlan', () => {
  it('has the golden rows, and its marginals', () => {
    const plan = sinkhornPlan(V_MOE_LOGITS.flat(), 4);
    const row = (t: number): number[] => Array.from(plan.slice(4 * t, 4 * t + 4));
    row(0).forEach((p, e) => expect(p).toBeCloseTo([0.1049042, 0.2772512, 0.3837672, 0.2340773][e]!, 6));
    row(3).forEach((p, e) => expect(p).toBeCloseTo([0.0513021, 0.1182357, 0.3189795, 0.5114827][e]!, 6));
    for (let t = 0; t < 6; t++) expect(row(t).reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    for (let e = 0; e < 4; e++) expect([0, 1, 2, 3, 4, 5].reduce((total, t) => total + row(t)[e]!, 0)).toBeCloseTo(1.5, 6);
  });

  it('is uniform for equal scores, and stays finite for large ones', () => {
    expect(Array.from(sinkhornPlan([3, 3, 3, 3], 2))).toEqual([0.5, 0.5, 0.5, 0.5]);
    expect(Array.from(sinkhornPlan([1e4, -1e4, -1e4, 1e4], 2)).every(Number.isFinite)).toBe(true);
  });
});

describe('balancedAssignment', () => {
  /** The best of all assignments, by trying them. */
  function best(scores: Float32Array, columns: number): number {
    const rows = scores.length / columns;
    const room = Math.ceil(rows / columns);
    const tryRow = (row: number, load: number[]): number =>
      row === rows
        ? 0
        : Math.max(...load.map((taken, column) => (taken < room ? scores[row * columns + column]! + tryRow(row + 1, load.map((n, i) => n + Number(i === column))) : -Infinity)));
    return tryRow(0, new Array<number>(columns).fill(0));
  }

  it.each([[6, 2], [6, 3], [7, 3], [8, 4], [5, 5]])('is as good as the best of all for %i rows and %i columns, and even', (rows, columns) => {
    for (let seed = 1; seed <= 10; seed++) {
      const scores = createRng(seed).normal(rows * columns);
      const chosen = balancedAssignment(scores, columns);
      const load = new Int32Array(columns);
      let total = 0;
      chosen.forEach((column, row) => {
        load[column]!++;
        total += scores[row * columns + column]!;
      });
      expect(Math.max(...load)).toBeLessThanOrEqual(Math.ceil(rows / columns));
      expect(total).toBeCloseTo(best(scores, columns), 5);
    }
  });

  it('manages a batch of tokens', () => {
    const load = new Int32Array(16);
    balancedAssignment(createRng(1).normal(512 * 16), 16).forEach((column) => load[column]!++);
    expect(Array.from(load)).toEqual(new Array<number>(16).fill(32));
  });
});

describe('projectLargest', () => {
  it('is the golden projection of the k largest entries', () => {
    const values = Float64Array.of(0.9, 0.2, 0.7, -0.3, 0.65);
    projectLargest(values, 5).forEach((p, i) => expect(p).toBeCloseTo([0.483333, 0, 0.283333, 0, 0.233333][i]!, 6));
    projectLargest(values, 2).forEach((p, i) => expect(p).toBeCloseTo([0.6, 0, 0.4, 0, 0][i]!, 12));
  });
});

describe('sparsePlan', () => {
  const scores = createRng(5).normal(16 * 4);
  const columnOf = (plan: Float64Array, column: number): number[] => Array.from({ length: 16 }, (_, row) => plan[row * 4 + column]!);

  it('has exact columns with few entries, and rows that come nearer with more steps', () => {
    const [few, many] = [20, 2000].map((iterations) => sparsePlan(scores, 4, { perColumn: 5, gamma: 0.1, iterations }));
    for (let column = 0; column < 4; column++) {
      expect(columnOf(few!.plan, column).reduce((a, b) => a + b)).toBeCloseTo(4, 9);
      expect(columnOf(few!.plan, column).filter((share) => share > 0).length).toBeLessThanOrEqual(5);
    }
    expect(many!.marginalError).toBeLessThan(few!.marginalError / 5);
  });

  it('comes near the best balanced assignment for small γ and as many entries as that has', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const values = createRng(seed).normal(8 * 4);
      const { plan } = sparsePlan(values, 4, { perColumn: 2, gamma: 0.05, iterations: 5000, stepSize: 0.01 });
      const worth = plan.reduce((total, share, i) => total + share * values[i]!, 0);
      const best = balancedAssignment(values, 4).reduce((total, column, row) => total + values[row * 4 + column]!, 0);
      expect(worth).toBeGreaterThan(best - 0.1 * Math.abs(best) - 0.1);
    }
  });

  it('says what is wrong', () => {
    expect(() => sparsePlan([1, 2, 3], 2, { perColumn: 1 })).toThrow('sparsePlan: scores must have rows of 2 entries, at least one, got 3.');
    expect(() => sparsePlan([1, 2], 2, { perColumn: 0 })).toThrow('sparsePlan: perColumn must be an integer ≥ 1, got 0.');
  });
});
