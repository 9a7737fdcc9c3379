// On a tiny untrained mixture whose experts differ: invariants that hold whatever the weights, and cases worked out by hand.
import { useBackend } from '@moe/backend';
import { type MoeLayerInfo, type MoeModel, createRng } from '@moe/core';
import { modelWeights, moeModel, vit } from '@moe/layers';
import { gapFc, vMoeRouter } from '@moe/router';
import { expectTensorsKept } from '@moe/testing';
import { type Tensor, type Tensor2D, argMax, dispose, tensor, tidy } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensembleView } from './ensemble-view.js';
import { functionalDifference, linearCka } from './functional-difference.js';
import { layerSlopes } from './local-lipschitz.js';
import { accuracyByPruning, accuracyByTopK } from './pruning.js';
import { accuracyByShare, accuracyPermuted, drawn, permuted } from './random-experts.js';
import { accuracyByShift, shifted } from './rank-shift.js';
import { accuracyOf, ranked, rerouted } from './reroute.js';
import { transplant } from './transplant.js';

const COUNT = 6;
let network: LayersModel;
let view: MoeModel;
let images: Tensor;
let others: Tensor;
let labels: Int32Array;

beforeAll(async () => {
  await useBackend('wasm');
  const router = vMoeRouter({ numExperts: 4, topK: 2, gate: gapFc({ bias: false }) });
  network = vit({ patch: 4, width: 8, depth: 2, hidden: 12, heads: 2, classes: 3, inputShape: [8, 8, 1], seed: 5, moe: { layers: [0, 1], router, sharedStart: false } });
  // The classifier starts at 0, where all logits would be equal.
  for (const { name, variable } of modelWeights(network)) if (name.startsWith('fc')) tidy(() => variable.assign(tensor(createRng(6).normal(variable.size), variable.shape)));
  view = moeModel(network);
  images = tensor(createRng(7).uniform(COUNT * 64), [COUNT, 8, 8, 1]);
  others = tensor(createRng(8).uniform(COUNT * 64), [COUNT, 8, 8, 1]);
  // What the model says, so that the unchanged model is right everywhere.
  labels = tidy(() => argMax(view.forward(images).logits, 1).dataSync() as Int32Array);
});
afterAll(() => {
  dispose([images, others]);
  network.dispose();
});

const layer: MoeLayerInfo = { name: 'one', numExperts: 4, topK: 2, batchInvariant: true, continuous: false };
const gates = Float32Array.of(0.5, 0.25, 0.125, 0.125);
const own = Float32Array.of(0.5, 0.25, 0, 0);
const logits = (result: Tensor2D): number[] => tidy(() => Array.from(result.dataSync()));

describe('routes', () => {
  it('put experts in order', () => {
    expect(ranked([0.1, 0.6, 0.3, 0.2, 0.2, 0.6], 3)).toEqual([[1, 2, 0], [2, 0, 1]]);
  });

  it('of unchanged choices give the model itself', () => {
    tidy(() => {
      const expected = logits(view.forward(images).logits);
      expect(logits(rerouted(view, images, (_, __, combine) => combine))).toBeAllClose(expected, { rtol: 1e-5, atol: 1e-6 });
      expect(logits(rerouted(view, images, shifted(0, 'kept')))).toBeAllClose(expected, { rtol: 1e-5, atol: 1e-6 });
      expect(logits(rerouted(view, images, drawn(0, createRng(1))))).toBeAllClose(expected, { rtol: 1e-5, atol: 1e-6 });
    });
  });

  it('shift by ranks, with the weights of either', () => {
    expect(Array.from(shifted(1, 'kept')(layer, gates, own))).toEqual([0, 0.5, 0.25, 0]);
    expect(Array.from(shifted(2, 'own')(layer, gates, own))).toEqual([0, 0, 0.125, 0.125]);
  });

  it('drawn at random keep the number of experts and their weights', () => {
    const many = Float32Array.from({ length: 400 }, (_, i) => gates[i % 4]!);
    const combine = drawn(1, createRng(2))(layer, many, many.map((_, i) => own[i % 4]!));
    const rows = Array.from({ length: 100 }, (_, row) => Array.from(combine.subarray(4 * row, 4 * row + 4)));
    for (const row of rows) expect(row.toSorted()).toEqual([0, 0, 0.25, 0.5]);
    // Every expert is drawn for half of the tokens, up to four deviations of 5.
    for (let expert = 0; expert < 4; expert++) expect(Math.abs(rows.filter((row) => row[expert]! > 0).length - 50)).toBeLessThan(20);
    const renamed = permuted(createRng(3))(layer, many, many.map((_, i) => own[i % 4]!));
    expect(new Set(Array.from({ length: 100 }, (_, row) => String(renamed.subarray(4 * row, 4 * row + 4)))).size).toBe(1);
  });
});

describe('accuracy', () => {
  it('of transplants is that of each pass on the diagonal', () => {
    const attackedRight = tidy(() => accuracyOf(view.forward(others).logits, labels));
    const { cleanClean, cleanAttacked, attackedClean, attackedAttacked } = transplant(view, images, others, labels);
    expect([cleanClean, attackedAttacked]).toEqual([1, attackedRight]);
    expect(transplant(view, images, images, labels)).toEqual({ cleanClean: 1, cleanAttacked: 1, attackedClean: 1, attackedAttacked: 1 });
    for (const share of [cleanAttacked, attackedClean]) expect(share).toBeWithin(0, 1);
  });

  it('is 1 where nothing is changed', () => {
    expect(accuracyByShift(view, images, labels, 'own')).toHaveLength(3);
    expect(accuracyByShift(view, images, labels, 'own')[0]).toBe(1);
    expect(accuracyByShare(view, images, labels, [0], createRng(1))).toEqual([1]);
    for (const order of ['least', 'most', 'random'] as const) expect(accuracyByPruning(view, images, labels, order, createRng(1))[0]).toBe(1);
    const byTopK = accuracyByTopK(network, images, labels);
    expect(byTopK).toHaveLength(4);
    expect(byTopK[1]).toBe(1);
  });
});

describe('experts that are one', () => {
  let same: LayersModel;
  beforeAll(() => {
    const router = vMoeRouter({ numExperts: 4, topK: 2, gate: gapFc({ bias: false }) });
    same = vit({ patch: 4, width: 8, depth: 2, hidden: 12, heads: 2, classes: 3, inputShape: [8, 8, 1], seed: 5, moe: { layers: [1], router } });
    for (const { name, variable } of modelWeights(same)) if (name.startsWith('fc')) tidy(() => variable.assign(tensor(createRng(6).normal(variable.size), variable.shape)));
  });
  afterAll(() => same.dispose());

  it('do not care which of them run', () => {
    const one = moeModel(same);
    const right = tidy(() => argMax(one.forward(images).logits, 1).dataSync() as Int32Array);
    expect(accuracyPermuted(one, images, right, createRng(1))).toBe(1);
    expect(accuracyByShare(one, images, right, [1], createRng(1))).toEqual([1]);
    expect(accuracyByShift(one, images, right, 'kept')).toEqual([1, 1, 1]);
    const { withinDeviation, betweenDeviation, agreement } = ensembleView(one, images, 3, createRng(1));
    expect(withinDeviation).toBeLessThan(1e-5);
    expect(betweenDeviation).toBeGreaterThan(1e-3);
    expect(agreement).toBe(1);
    const { topTwo, random, cka } = functionalDifference(same, 'block1.mlp', images, createRng(1));
    expect([topTwo, random]).toEqual([0, 0]);
    expect(cka.flat()).toBeAllClose(cka.flat().map(() => 1), { rtol: 0, atol: 1e-5 });
  });
});

describe('functions', () => {
  it('are aligned up to rotation and scale, and not else', () => {
    const x = [[1, 0], [-1, 0], [0, 2], [0, -2]].map((row) => Float32Array.from(row));
    const turned = x.map(([a = 0, b = 0]) => Float32Array.of(-3 * b, 3 * a));
    expect(linearCka(x, turned)).toBeCloseTo(1, 12);
    // XᵀX = diag(2, 8), XᵀY = (2, 0) for the first column alone: 4 / (√68 · 2).
    expect(linearCka(x, x.map(([a = 0]) => Float32Array.of(a)))).toBeCloseTo(4 / (Math.sqrt(68) * 2), 12);
  });

  it('differ where experts do', () => {
    const { topTwo, random, lead } = functionalDifference(network, 'block1.mlp', images, createRng(1));
    expect(topTwo).toBeGreaterThan(0.1);
    expect(random).toBeGreaterThan(0.1);
    expect(lead).toBeWithin(0, 1);
  });
});

describe('slopes of layers', () => {
  it('of a mixture are at most those of its terms together, and of one expert that of the experts', () => {
    const { total, experts, router, steepestToken } = layerSlopes(network, 'block1.mlp', images, createRng(1));
    expect(router).toBeGreaterThan(0);
    expect(total).toBeLessThanOrEqual(experts + router + 1e-3);
    expect(steepestToken).toBeGreaterThanOrEqual(total);
  });

  it('of a dense layer have no router', () => {
    const dense = vit({ patch: 4, width: 8, depth: 1, hidden: 12, heads: 2, classes: 3, inputShape: [8, 8, 1], seed: 5 });
    const { total, experts, router } = layerSlopes(dense, 'block0.mlp', images, createRng(1));
    expect(router).toBe(0);
    expect(experts).toBeCloseTo(total, 6);
    dense.dispose();
  });
});

it('leaves no tensors', () => {
  expectTensorsKept(0, () => {
    transplant(view, images, others, labels);
    accuracyByShare(view, images, labels, [0.5], createRng(1));
    ensembleView(view, images, 2, createRng(1));
    functionalDifference(network, 'block0.mlp', images, createRng(1));
    layerSlopes(network, 'block0.mlp', images, createRng(1), 2);
  });
});
