import { createRng } from '@moe/core';
import { tensor2d, tensor4d, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { prototypeGate } from '../gates/prototype-gate.js';
import { descend, prototypeTree, squaredDistance } from '../internal/prototype-tree.js';
import type { Router, Weights } from '../types.js';
import { topKRouter } from './top-k-router.js';
import { voronoiRouter } from './voronoi-router.js';

const expertsOf = (router: Router, rows: number[][], weights: Weights = {}): number[] => tidy(() => router.route(weights, tensor2d(rows), { training: false }).combineWeights.arraySync().map((row) => row.indexOf(1)));
/** The points of a grid, and rows at random within it. */
const grid = (side: number): number[][] => Array.from({ length: side * side }, (_, i) => [i % side, Math.floor(i / side)]);
const rowsWithin = (side: number, count: number): number[][] => {
  const draws = createRng(1).uniform(2 * count, -0.5, side - 0.5);
  return Array.from({ length: count }, (_, row) => [draws[2 * row]!, draws[2 * row + 1]!]);
};

describe('voronoiRouter', () => {
  it('sends rows to the nearest prototype, ties to the lowest', () => {
    expect(expertsOf(voronoiRouter({ prototypes: [[0, 0], [2, 0], [0, 3]] }), [[0.9, 0], [1.1, 0], [0, 1.6], [0.9, 1.4], [1, 0]])).toEqual([0, 1, 2, 0, 0]);
  });

  it('makes the cells of topKRouter with the same prototypes', () => {
    tidy(() => {
      const prototypes = grid(4);
      const reference = topKRouter({ numExperts: 16, gate: prototypeGate({ prototypes }) });
      const weights = Object.fromEntries(Object.entries(reference.init([2], createRng(1))).map(([name, { value }]) => [name, value]));
      const rows = rowsWithin(4, 200);
      expect(expertsOf(voronoiRouter({ prototypes }), rows)).toEqual(expertsOf(reference, rows, weights));
    });
  });

  it('finds the cell of every prototype down the tree, and another than the nearest near borders only', () => {
    const prototypes = grid(8);
    const router = voronoiRouter({ prototypes, branching: 4 });
    expect(expertsOf(router, prototypes)).toEqual(prototypes.map((_, expert) => expert));
    const rows = rowsWithin(8, 500);
    const [found, nearest] = [expertsOf(router, rows), expertsOf(voronoiRouter({ prototypes }), rows)];
    const wrong = rows.filter((_, row) => found[row] !== nearest[row]);
    expect(wrong.length).toBeLessThan(rows.length / 4);
    // What was found instead is a neighbour: at most a diagonal further than the nearest, which is within half a diagonal.
    rows.forEach((row, i) => expect(Math.sqrt(squaredDistance(row, prototypes[found[i]!]!))).toBeLessThan(1.5 * Math.SQRT2));
  });

  it('looks for the nearest among the allowed experts', () => {
    tidy(() => {
      const router = voronoiRouter({ prototypes: grid(3), branching: 2 });
      const allowed = grid(3).map((_, expert) => expert === 0 || expert === 8);
      const { combineWeights } = router.route({}, tensor2d([[0, 1], [2, 1]]), { training: false, allowed });
      expect(combineWeights.arraySync().map((row) => row.indexOf(1))).toEqual([0, 8]);
    });
  });

  it('averages rows over their positions', () => {
    tidy(() => {
      const images = tensor4d([0, 0, 4, 2, 0, 0, 1, 1], [2, 1, 2, 2]);
      const { combineWeights } = voronoiRouter({ prototypes: [[0, 0], [2, 1]] }).route({}, images, { training: false });
      expect(combineWeights).toBeAllClose([0, 1, 1, 0]);
    });
  });

  it('refuses prototypes of several lengths, rows of another, and NaN', () => {
    expect(() => voronoiRouter({ prototypes: [] })).toThrow('voronoiRouter: prototypes must be E ≥ 1 rows of numbers, got [].');
    expect(() => voronoiRouter({ prototypes: [[1], [1, 2]] })).toThrow('voronoiRouter: prototypes must be rows of the same length, got [1, 2].');
    expect(() => voronoiRouter({ prototypes: [[1, NaN]] })).toThrow('voronoiRouter: prototypes[0][1] must be a finite number, got NaN.');
    expect(() => voronoiRouter({ prototypes: [[1, 2]], branching: 1 })).toThrow('voronoiRouter: branching must be an integer ≥ 2, got 1.');
    const router = voronoiRouter({ prototypes: [[1, 2], [3, 4]] });
    expect(() => router.init([4, 4, 3], createRng(1))).toThrow('voronoiRouter: inputShape must end in the 2 channels of the prototypes, got [4, 4, 3].');
    expect(() => expertsOf(router, [[0, NaN]])).toThrow('voronoiRouter: inputs must be finite, got NaN in row 0.');
  });
});

describe('descend', () => {
  it('compares a number of centres that grows with the logarithm of the number of prototypes', () => {
    const comparisons = (side: number): number => {
      const tree = prototypeTree(grid(side), 4, grid(side).map((_, i) => i));
      let most = 0;
      for (const row of rowsWithin(side, 50)) {
        let count = 0;
        descend(tree, row, (a, b) => (count++, squaredDistance(a, b)));
        most = Math.max(most, count);
      }
      return most;
    };
    // 4 · log₄ of 64 and 1,024 prototypes would be 12 and 20 in a tree that is as even as can be.
    expect(comparisons(8)).toBeLessThanOrEqual(2 * 12);
    expect(comparisons(32)).toBeLessThanOrEqual(2 * 20);
  });
});
