import { createRng, restoreRng } from '@moe/core';
import { gapFc, topKRouter, vMoeRouter } from '@moe/router';
import { expectTensorsKept } from '@moe/testing';
import { type Tensor, grad, ones, slice, sum, tensor, tidy } from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countMacs, countParameters } from '../counting/count.js';
import { mlp } from '../mlp.js';
import { logitsOf, reload } from '../model/testing-fixtures.js';
import { modelWeights } from '../model/model-weights.js';
import { moeModel } from '../model/moe-model.js';
import { dropout } from '../ops/dropout.js';
import { type VitOptions, vitSpec } from '../spec/vit-spec.js';
import { extractExperts } from '../surgery/extract-experts.js';
import { vit } from '../vit.js';

const TINY: VitOptions = { patch: 4, width: 8, depth: 2, hidden: 12, heads: 2, classes: 3, inputShape: [8, 8, 1], seed: 3 };
const moe = { layers: [1], router: vMoeRouter({ numExperts: 3, topK: 2, noiseStd: 0, gate: gapFc({ bias: false }) }) };
let x: Tensor;
beforeAll(() => void (x = tensor(createRng(3).uniform(4 * 64), [4, 8, 8, 1])));
afterAll(() => x.dispose());

/** The classifier of a transformer starts at 0, where nothing could be seen. */
function lively(model: ReturnType<typeof vit>): ReturnType<typeof vit> {
  const { variable } = modelWeights(model).find(({ name }) => name === 'fc/kernel')!;
  tidy(() => variable.assign(tensor(createRng(1).normal(variable.size), variable.shape)));
  return model;
}

describe('dropout', () => {
  it('drops the given share, keeps the mean, and lets the gradient through what is kept', () => {
    tidy(() => {
      const [rate, n] = [0.3, 20_000];
      const y = Array.from(dropout(ones([20, n / 20]), rate, createRng(1)).dataSync());
      const dropped = y.filter((value) => value === 0).length / n;
      // Binomial: four deviations of √(.3 · .7 / 20000) are .013.
      expect(Math.abs(dropped - rate)).toBeLessThan(0.013);
      expect(y.filter((value) => value !== 0)).toBeAllClose(new Array<number>(n - Math.round(dropped * n)).fill(1 / 0.7));
      expect(grad((v) => sum(dropout(v, rate, createRng(1))))(ones([20, n / 20]))).toBeAllClose(y);
    });
  });

  it('depends on the row, not on the rows around it', () => {
    tidy(() => {
      const whole = dropout(ones([6, 10]), 0.5, createRng(2));
      expect(dropout(ones([2, 10]), 0.5, createRng(2))).toBeAllClose(slice(whole, 0, 2));
      expect(slice(whole, 0, 1)).not.toBeAllClose(slice(whole, 1, 1));
    });
  });
});

describe.each([
  ['vit with dropout', () => lively(vit({ ...TINY, dropout: 0.2 })), () => lively(vit(TINY))],
  ['vit with dropout everywhere', () => lively(vit({ ...TINY, dropout: 0.2, moe })), () => lively(vit({ ...TINY, moe }))],
  ['vit with dropout in experts alone', () => lively(vit({ ...TINY, moe: { ...moe, dropout: 0.2 } })), () => lively(vit({ ...TINY, moe }))],
  ['mlp with dropout', () => mlp({ hidden: [16, 8], classes: 3, inputShape: [8, 8, 1], seed: 2, dropout: 0.5, moe: { layers: [1], router: topKRouter({ numExperts: 2, gate: gapFc() }) } }), () => mlp({ hidden: [16, 8], classes: 3, inputShape: [8, 8, 1], seed: 2, moe: { layers: [1], router: topKRouter({ numExperts: 2, gate: gapFc() }) } })],
] as const)('%s', (_, make, without) => {
  it('changes training alone, costs nothing, and comes back from a file', async () => {
    const [model, plain] = [make(), without()];
    const evaluated = logitsOf(moeModel(model), x);
    expect(evaluated).toEqual(logitsOf(moeModel(plain), x));
    expect([countParameters(model), countMacs(model)]).toEqual([countParameters(plain), countMacs(plain)]);
    const training = (seed: number) => ({ training: true, rng: createRng(seed) });
    const trained = logitsOf(moeModel(model), x, training(1));
    expect(trained).not.toBeAllClose(evaluated, { rtol: 1e-2, atol: 1e-3 });
    expect(logitsOf(moeModel(model), x, training(1))).toEqual(trained);
    expect(logitsOf(moeModel(model), x, training(2))).not.toBeAllClose(trained, { rtol: 1e-2, atol: 1e-3 });
    const copy = await reload(model);
    expect(logitsOf(moeModel(copy), x, training(1))).toEqual(trained);
    [model, plain, copy].forEach((each) => each.dispose());
  });

  it('drops anew in every step, and the same after a resume', () => {
    const model = make();
    const rng = createRng(7);
    const step = (own = rng): number[] => logitsOf(moeModel(model), x, { training: true, rng: own });
    const first = step();
    const resumed = restoreRng(JSON.parse(JSON.stringify(rng.state())));
    const second = step();
    expect(second).not.toEqual(first);
    expect(step(resumed)).toEqual(second);
    model.dispose();
  });

  it('needs an rng in training, and keeps no tensor', () => {
    const model = make();
    expectTensorsKept(0, () => expect(() => logitsOf(moeModel(model), x, { training: true })).toThrow('rng must be given, because'));
    expectTensorsKept(0, () => logitsOf(moeModel(model), x, { training: true, rng: createRng(1) }));
    model.dispose();
  });
});

describe('experts', () => {
  it('drop by a rate of their own, which goes with them when they are made dense', () => {
    const dropouts = (options: VitOptions): unknown[] => vitSpec(options).layers.flatMap(({ name, part }) => ('dropout' in part ? [[name, part.dropout]] : part.kind === 'dropout' ? [[name, part.rate]] : []));
    expect(dropouts({ ...TINY, depth: 1, dropout: 0.1, moe: { ...moe, layers: [0], dropout: 0.2 } })).toEqual([['tokens.dropout', 0.1], ['block0.attention.dropout', 0.1], ['block0.mlp', 0.2]]);
    expect(dropouts({ ...TINY, depth: 1, dropout: 0.1, moe: { ...moe, layers: [0] } }).at(-1)).toEqual(['block0.mlp', 0.1]);
    const sparse = lively(vit({ ...TINY, moe: { ...moe, dropout: 0.5 } }));
    const dense = extractExperts(sparse, { 'block1.mlp': 2 });
    const [a, b] = [1, 2].map((seed) => logitsOf(moeModel(dense), x, { training: true, rng: createRng(seed) }));
    expect(a).not.toBeAllClose(b!, { rtol: 1e-2, atol: 1e-3 });
    [sparse, dense].forEach((model) => model.dispose());
  });

  it('of one layer drop different numbers', () => {
    const model = lively(vit({ ...TINY, moe: { ...moe, dropout: 0.5, sharedStart: true } }));
    const fixed = (expert: number): number[] => logitsOf(moeModel(model), x, { training: true, rng: createRng(1), experts: { 'block1.mlp': expert } });
    expect(fixed(0)).not.toBeAllClose(fixed(1), { rtol: 1e-2, atol: 1e-3 });
    model.dispose();
  });

  it.each([
    [() => vit({ ...TINY, dropout: 1 }), 'vit: dropout must be below 1, got 1.'],
    [() => vit({ ...TINY, moe: { ...moe, dropout: -1 } }), 'vit: moe.dropout must be a finite number ≥ 0, got -1.'],
    [() => mlp({ hidden: [2], classes: 2, inputShape: [2, 2, 1], seed: 1, dropout: 2 }), 'mlp: dropout must be below 1, got 2.'],
  ])('refuse rates that are none (%#)', (make, message) => {
    expect(make).toThrow(message);
  });
});
