// Shapes: D numbers of one example, E experts, K chosen.
import { createRng } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { tensor2d, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { constantExpert, toyMoe } from '../testing/moe-models.js';
import { linearModel, tinyNet } from '../testing/models.js';
import { flipDistance } from './flip-distance.js';
import { flipRoutes } from './flip-routes.js';

const rows = (values: Float32Array, columns: number): number[][] => Array.from({ length: values.length / columns }, (_, i) => Array.from(values.subarray(i * columns, (i + 1) * columns)));

function affine(size: number, numExperts: number, topK: number, seed: number) {
  const rng = createRng(seed);
  const kernel = rng.stream('kernel').normal(size * numExperts, 0, 1 / Math.sqrt(size));
  const bias = rng.stream('bias').normal(numExperts, 0, 0.02);
  const experts = Array.from({ length: numExperts }, (_, i) => constantExpert([i, 0]));
  return { router: { kernel, bias, topK }, model: toyMoe({ router: rows(kernel, numExperts), bias: Array.from(bias), experts, topK }) };
}

describe('flipDistance', () => {
  it('is the hand-worked distance, and infinite where bounds forbid the flip', () => {
    // r = (x₀ + 2 x₁, 0.5): at (0.4, 0.3) the first leads by 0.5; w = (1, 2).
    const router = { kernel: new Float32Array([1, 0, 2, 0]), bias: new Float32Array([0, 0.5]) };
    const point = new Float32Array([0.4, 0.3]);
    expect(flipDistance(router, point, 'Linf', [0, 1])).toBeCloseTo(0.5 / 3, 6);
    expect(flipDistance(router, point, 'L2', [0, 1])).toBeCloseTo(0.5 / Math.sqrt(5), 6);
    expect(flipDistance(router, point, 'L1', [0, 1])).toBeCloseTo(0.25, 6);
    // Within [0.25, 1] the second coordinate gives 0.05 · 2 at most, so the first must give 0.4 of its 0.15.
    expect(flipDistance(router, point, 'Linf', [0.25, 1])).toBe(Infinity);
    // Within [0.15, 1] it gives 0.15 · 2, and the first gives 0.2.
    expect(flipDistance(router, point, 'Linf', [0.15, 1])).toBeCloseTo(0.2, 6);
  });

  it('is the least over pairs of a chosen and another expert', () => {
    // Scores 3, 2, 1.9 - of two that are chosen, the second gives way to the third: 0.1 / |1 - 0| in the only coordinate.
    const router = { kernel: new Float32Array([0, 0, 1]), bias: new Float32Array([3, 2, 1.5]), topK: 2 };
    expect(flipDistance(router, new Float32Array([0.4]), 'Linf', [0, 1])).toBeCloseTo(0.1, 6);
  });

  it('of a random router on 3,072 inputs is a fraction of a grey level', () => {
    const size = 3072;
    const rng = createRng(1);
    const kernel = rng.stream('kernel').uniform(size * 4, -1 / Math.sqrt(size), 1 / Math.sqrt(size));
    const bias = rng.stream('bias').uniform(4, -1 / Math.sqrt(size), 1 / Math.sqrt(size));
    const distances = Array.from({ length: 99 }, (_, i) => flipDistance({ kernel, bias }, rng.stream('x').at(i).uniform(size), 'Linf', [0, 1]) * 255).sort((a, b) => a - b);
    expect(distances[49]!).toBeGreaterThan(0.2);
    expect(distances[49]!).toBeLessThan(0.8);
  });

  it('refuses what does not fit', () => {
    const router = { kernel: new Float32Array(4), bias: new Float32Array(2) };
    expect(() => flipDistance(router, new Float32Array(3), 'Linf', [0, 1])).toThrow('flipDistance: kernel must have 3 × 2 entries, got 4.');
    expect(() => flipDistance({ ...router, topK: 2 }, new Float32Array(2), 'Linf', [0, 1])).toThrow('flipDistance: topK must be an integer in [1, 1], got 2.');
  });
});

describe.each(['Linf', 'L2', 'L1'] as const)('flipRoutes, %s', (norm) => {
  it.each([[2, 1], [4, 1], [4, 2], [5, 3]])('%i experts, K = %i: finds the closed form of affine routers, and the flips are real', (numExperts, topK) => {
    const size = 12;
    const { router, model } = affine(size, numExperts, topK, 7 * numExperts + topK);
    // Some coordinates on the bounds, so that these matter.
    const inputs = createRng(2).uniform(20 * size, -0.3, 1.3).map((value) => Math.min(1, Math.max(0, value)));
    const expected = rows(inputs, size).map((x) => flipDistance(router, Float32Array.from(x), norm, [0, 1]));
    const x = tensor2d(inputs.slice(), [20, size]);
    const { flipped, distances, routes } = expectTensorsKept(1, () => flipRoutes(model, x, { norm }));
    expected.forEach((distance, i) => {
      if (distance === Infinity) return expect(distances[i]).toBe(Infinity);
      expect(distances[i]! / distance).toBeGreaterThan(1 - 1e-4);
      expect(distances[i]! / distance).toBeLessThan(1 + 2e-4);
    });
    tidy(() => {
      const chosen = (input: typeof x): number[][] => rows(model.moe.forward(input).routing[0]!.combineWeights.dataSync() as Float32Array, numExperts);
      const [before, after] = [chosen(x), chosen(flipped as typeof x)];
      distances.forEach((distance, i) => {
        if (distance === Infinity) return;
        expect(after[i]!.map((weight) => weight > 0)).not.toEqual(before[i]!.map((weight) => weight > 0));
        expect(after[i]![routes[i]!.expert]).toBeGreaterThan(0);
      });
    });
    x.dispose();
    flipped.dispose();
  });
});

describe('flipRoutes', () => {
  it('flips the token that is nearest to it', () => {
    // Two tokens of one number each, r = (x, 0.5): (0.9, 0.6) flips where the second falls to 0.5.
    const model = toyMoe({ router: [[1, 0]], bias: [0, 0.5], experts: [constantExpert([1, 0]), constantExpert([0, 1])], tokens: 2 });
    const x = tensor2d([[0.9, 0.6]]);
    const { flipped, distances, routes } = flipRoutes(model, x);
    expect(distances[0]).toBeCloseTo(0.1, 4);
    expect(routes).toEqual([{ layer: 'moe', expert: 1 }]);
    expect(flipped).toBeAllClose([0.9, 0.5], { atol: 1e-4 });
    x.dispose();
    flipped.dispose();
  });

  it('refuses plain functions, other layers and unknown options', () => {
    const x = tensor2d([[0.5, 0.5]]);
    const { model } = affine(2, 3, 1, 1);
    expectTensorsKept(0, () => {
      expect(() => flipRoutes(linearModel([[1, 0], [0, 1]], [0, 0]), x)).toThrow("flipRoutes: model must bring its MoE model, got 'a plain function'. Pass logitsFn(moeModel(network)) of @moe/layers, without options.");
      expect(() => flipRoutes(model, x, { layers: ['nowhere'] })).toThrow("flipRoutes: layers[0] must be a layer that chooses (moe), got 'nowhere'.");
      expect(() => flipRoutes(model, x, { eps: 1 } as object)).toThrow("flipRoutes: unknown option 'eps'");
    });
    x.dispose();
  });

  it('gives an example the same flip whatever its batch', () => {
    const experts = [tinyNet(6, 3, 1), tinyNet(6, 3, 2), tinyNet(6, 3, 3)];
    const { router } = affine(6, 3, 1, 4);
    const model = toyMoe({ router: rows(router.kernel, 3), bias: Array.from(router.bias), experts });
    const inputs = createRng(8).uniform(30);
    const [all, part] = [tensor2d(inputs.slice(), [5, 6]), tensor2d(inputs.slice(12, 18), [1, 6])];
    const [whole, alone] = [flipRoutes(model, all), flipRoutes(model, part)];
    expect(alone.distances[0]).toBe(whole.distances[2]);
    [all, part, whole.flipped, alone.flipped].forEach((tensor) => tensor.dispose());
  });
});
