import { useBackend } from '@moe/backend';
import { Matrix } from 'ml-matrix';
import { beforeAll, describe, expect, it } from 'vitest';
import { column, minNorm, reflectedBasis, ridge, rowSpace } from './algebra.js';
import { crossings, pathBound } from './boundaries.js';
import { type Outcome, atLeast, atMost, near, rising, violations } from './claim.js';
import { clusterExperts } from './clusters.js';
import { effectiveExperts, interpolationRegime, nearlyOrthogonalBlocks, noStructure, orthogonalBlocks } from './fixed-routing.js';
import { lawOfRobustness } from './law.js';
import { learnedExperts } from './learned.js';
import { doubtBound, gradientTerms, weightsOf } from './mixture.js';
import { clusterMargin, exactRadius, radiusOf } from './routing-margin.js';
import { boundarySlope, gradientDecomposition } from './soft-routing.js';
import { createRng } from '@moe/core';

const failing = ({ checks }: Outcome): string[] => checks.filter(({ holds }) => !holds).map(({ what, value, expected }) => `${what}: ${value}, expected ${expected}`);

describe('algebra', () => {
  it('interpolates with the shortest vector, and regularises', () => {
    expect(minNorm(new Matrix([[1, 0, 0], [0, 2, 0]]), column([3, 4])).to1DArray()).toEqual([3, 2, 0]);
    // (1 + 1 + 2) w = 1 + 3.
    expect(ridge(new Matrix([[1], [1]]), column([1, 3]), 2).to1DArray()).toEqual([1]);
  });

  it('has orthonormal bases', () => {
    const basis = reflectedBasis(createRng(1), 6);
    expect(Matrix.sub(basis.mmul(basis.transpose()), Matrix.eye(6)).norm('frobenius')).toBeLessThan(1e-12);
    const space = rowSpace(new Matrix([[3, 4, 0], [0, 0, 2]]));
    expect(Math.abs(space.get(0, 0))).toBeCloseTo(0.6, 12);
    expect(Math.abs(space.get(1, 2))).toBeCloseTo(1, 12);
  });

  it('counts effective experts', () => {
    expect(effectiveExperts([2, 2, 2, 2])).toBe(4);
    expect(effectiveExperts([2, 1, 1])).toBe(1.5);
  });
});

describe('checks', () => {
  it('fail where they should', () => {
    expect([near('', 1.2, 1, 0.1), atMost('', 2, 1), atLeast('', 0, 1), rising('', [1, 3, 3]), violations('', 1)].map(({ holds }) => holds)).toEqual([false, false, false, false, false]);
    expect([near('', 1.05, 1, 0.1), atMost('', 1, 1), atLeast('', 1, 1), rising('', [1, 3, 4]), violations('', 0)].every(({ holds }) => holds)).toBe(true);
    expect(near('', NaN, 1, 0.1).holds).toBe(false);
  });
});

describe('gradient terms', () => {
  const tie = { values: [1, -1], gradients: [[0.5], [0.5]], router: [[1], [-1]], scores: [0, 0], temperature: 1 };

  it('are those worked out by hand', () => {
    // Δ ‖s₁ − s₂‖ / (4τ) = 2 · 2 / 4.
    expect(gradientTerms(tie, { topK: 2, renormalise: true })).toEqual({ expert: [0.5], router: [1] });
    // One expert of weight ½ and value 1, pulled by s₁ − s̄ = 1; renormalised it has no router term.
    expect(gradientTerms(tie, { topK: 1, renormalise: false })).toEqual({ expert: [0.25], router: [0.5] });
    expect(gradientTerms(tie, { topK: 1, renormalise: true })).toEqual({ expert: [0.5], router: [0] });
  });

  it('weigh the chosen experts', () => {
    expect(weightsOf([Math.log(2), 0, Math.log(5)], 1, { topK: 2, renormalise: false })).toEqual([0.25, 0, 0.625].map((value) => expect.closeTo(value, 12)));
    expect(weightsOf([Math.log(2), 0, Math.log(5)], 1, { topK: 2, renormalise: true })).toEqual([2 / 7, 0, 5 / 7].map((value) => expect.closeTo(value, 12)));
    expect(doubtBound(2, 0)).toBe(0.5);
  });
});

it('finds the boundaries on a way', () => {
  const router = [1, -1].map((slope) => Float32Array.of(slope));
  const model = { router, experts: router.map((slope) => ({ slope, offset: 0 })) };
  expect(crossings(model, Float64Array.of(-1), Float64Array.of(3))).toEqual([{ at: Float64Array.of(0), from: 1, to: 0 }]);
  expect(crossings(model, Float64Array.of(1), Float64Array.of(3))).toEqual([]);
  // Scores 3 and 0, their rows (3, 0) and (0, 4): a distance of 3 / 5.
  expect(radiusOf([[3, 0], [0, 4]], [1, 0], 1, 'L2').radius).toBeCloseTo(0.6, 12);
});

describe('every claim holds, small', () => {
  beforeAll(async () => {
    await useBackend('wasm');
  });

  it.each<[string, () => Outcome | Promise<Outcome>]>([
    ['V1', () => orthogonalBlocks({ numExperts: [2, 4] })],
    ['V2', () => nearlyOrthogonalBlocks({ numExperts: [2, 4], cosines: [0, 0.2] })],
    ['V3', () => interpolationRegime({ d: 64, seeds: 20, cases: [{ examples: 16, experts: 4 }] })],
    ['V4', () => noStructure({ n: 128, d: 8, seeds: 100, numExperts: [1, 4] })],
    ['V5', () => gradientDecomposition({ draws: 24, d: 3 })],
    ['V6', boundarySlope],
    ['V7', () => exactRadius({ draws: 10, d: 5, numExperts: 5 })],
    ['V8', () => clusterExperts({ numExperts: 4, block: 8, trainPerCluster: 50, testPerCluster: 50, seeds: 1 })],
    ['V9', () => pathBound({ models: 10, pairs: 5 })],
    ['V10', () => lawOfRobustness({ widths: [150, 600, 1200, 2400], probes: 2000, seeds: 1 })],
    ['V11', () => clusterMargin({ numExperts: 3, d: 6, draws: 20 })],
    ['V12', () => learnedExperts({ cosines: [0, 0.99], disagreements: [0, 1], seeds: 1, numExperts: 4, perCluster: 100, testImages: 200, epochs: 20 })],
  ])('%s', async (_, run) => {
    expect(failing(await run())).toEqual([]);
  });
});
