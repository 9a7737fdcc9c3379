// Surgery on networks of which is known what should be found, and on networks whose gate sees something else than the experts.
import { createRng, topKIndices } from '@moe/core';
import { type Router, convGap, expertUsage, gapFc, topKRouter } from '@moe/router';
import { type Scalar, type Tensor, type Variable, clone, dispose, losses, oneHot, tensor, tensor1d, tidy, train, variableGrads } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { countMacs, countParameters } from '../counting/count.js';
import { mlp } from '../mlp.js';
import { moeModel } from '../model/moe-model.js';
import { modelWeights } from '../model/model-weights.js';
import { images, logitsOf, reload, weight } from '../model/testing-fixtures.js';
import { resnet } from '../resnet.js';
import { vit } from '../vit.js';
import { extractExperts } from './extract-experts.js';
import { mergeExperts } from './merge-experts.js';
import { pruneExperts } from './prune-experts.js';
import { expertValues } from './replace-expert.js';
import { routerNormChange } from './router-norm-change.js';
import { withTopK } from './with-top-k.js';

const E = 8;
const LAYER = 'hidden0';
/** Eight groups of inputs, each on an axis of its own, and a gate that sends each to an expert of its own. */
const build = (): LayersModel => {
  const router = topKRouter({ numExperts: E, topK: 1, gate: gapFc(), straightThrough: false, normalise: 'none' });
  const network = mlp({ hidden: [6], classes: 2, inputShape: [1, 1, E], seed: 4, moe: { layers: [0], router } });
  tidy(() => {
    weight(network, `${LAYER}/router/kernel`).assign(tensor(Float32Array.from({ length: E * E }, (_, i) => Number(i % (E + 1) === 0) * 3), [E, E]));
    weight(network, `${LAYER}/router/bias`).assign(tensor1d(new Float32Array(E)));
  });
  return network;
};
const group = (axes: readonly number[], count: number): Tensor =>
  tensor(Float32Array.from({ length: count * E }, (_, i) => Number(axes[Math.floor(i / E) % axes.length] === i % E) + 0.1 * createRng(2).at(i).normal(1)[0]!), [count, 1, 1, E]);

/** Fine-tunes on two of the eight groups, whose classes are 0 and 1. */
function fineTune(network: LayersModel, axes: readonly number[]): void {
  const [x, labels] = [group(axes, 32), tidy(() => oneHot(tensor1d(Array.from({ length: 32 }, (_, i) => i % 2), 'int32'), 2))];
  const optimizer = train.sgd(0.3);
  const variables = modelWeights(network).filter(({ trainable }) => trainable).map(({ variable }) => variable);
  for (let step = 0; step < 60; step++) {
    tidy(() => {
      const { grads } = variableGrads(() => losses.softmaxCrossEntropy(labels, moeModel(network).forward(x, { training: true }).logits) as Scalar, variables);
      optimizer.applyGradients(Object.fromEntries(Object.entries(grads).filter(([, slope]) => slope !== null)) as Record<string, Variable>);
    });
  }
  dispose([x, labels]);
  optimizer.dispose();
}

describe('pruning finds', () => {
  it('the two of eight experts that a task needs, by the change of their norms and by their share of the rows', () => {
    const [before, after] = [build(), build()];
    fineTune(after, [2, 5]);
    const scores = routerNormChange(before, after)[LAYER]!;
    expect(Array.from(topKIndices(scores, E, 2)).sort()).toEqual([2, 5]);
    const x = group([2, 5], 40);
    const share = tidy(() => Float32Array.from(expertUsage(moeModel(after).forward(x).routing[0]!.combineWeights.dataSync(), E).share));
    expect(Array.from(topKIndices(share, E, 2)).sort()).toEqual([2, 5]);

    // Nothing is lost on the task, all is on the others, and the network has a quarter of the experts.
    const pruned = pruneExperts(after, { [LAYER]: topKIndices(scores, E, 2) });
    expect(logitsOf(moeModel(pruned), x)).toEqual(logitsOf(moeModel(after), x));
    const other = group([0, 7], 8);
    expect(logitsOf(moeModel(pruned), other)).not.toBeAllClose(logitsOf(moeModel(after), other), { rtol: 1e-2 });
    expect(countParameters(after) - countParameters(pruned)).toBe(6 * (E * 6 + 6));
    dispose([x, other]);
    [before, after, pruned].forEach((model) => model.dispose());
  });
});

describe('merging', () => {
  it('finds the planted duplicate among the experts, and changes nothing by merging it', () => {
    const network = build();
    for (const name of ['kernel', 'bias']) tidy(() => weight(network, `${LAYER}/expert6/${name}`).assign(clone(weight(network, `${LAYER}/expert1/${name}`))));
    const flat = Array.from({ length: E }, (_, expert) => [...expertValues(network, LAYER, expert).values()].flatMap(({ data }) => Array.from(data as Float32Array)));
    const pairs = flat.flatMap((a, i) => flat.slice(i + 1).map((b, j) => ({ pair: [i, i + 1 + j], distance: Math.hypot(...a.map((value, k) => value - b[k]!)) })));
    const { pair } = pairs.reduce((least, next) => (next.distance < least.distance ? next : least));
    expect(pair).toEqual([1, 6]);
    const merged = mergeExperts(network, { [LAYER]: [pair, ...Array.from({ length: E }, (_, e) => [e]).filter(([e]) => !pair.includes(e!))] });
    const x = group([0, 1, 2, 3, 4, 5, 6, 7], 16);
    expect(logitsOf(moeModel(merged), x)).toBeAllClose(logitsOf(moeModel(network), x), { rtol: 1e-5, atol: 1e-6 });
    // Merging experts that differ is felt.
    const wrong = mergeExperts(network, { [LAYER]: [[0, 3], ...[1, 2, 4, 5, 6, 7].map((e) => [e])] });
    expect(logitsOf(moeModel(wrong), x)).not.toBeAllClose(logitsOf(moeModel(network), x), { rtol: 1e-2, atol: 1e-3 });
    x.dispose();
    [network, merged, wrong].forEach((model) => model.dispose());
  });
});

const router = (topK = 2, gate = convGap()): Router => topKRouter({ numExperts: 4, topK, gate });
const small = { classes: 3, inputShape: [6, 6, 2], seed: 5 } as const;
const GATED = [
  ['a ResNet whose gate sees the image', 'layer4.0', () => resnet({ ...small, depth: 10, width: 2, stem: 'cifar', moe: { at: 'layer4', kind: 'block', gateFrom: 'image', router: router() } })],
  ['a ResNet whose gates share features of the image', 'layer4.0.conv2', () => resnet({ ...small, depth: 10, width: 2, stem: 'cifar', moe: { at: ['layer3', 'layer4'], kind: 'conv', gateFrom: { features: 4 }, router: router(2, gapFc()) } })],
  ['a transformer whose gate sees the tokens of the image', 'block1.mlp', () => vit({ ...small, patch: 3, width: 8, depth: 2, hidden: 12, heads: 2, moe: { layers: [0, 1], gateFrom: 'image', router: router(2, gapFc()), sharedStart: false } })],
  ['a perceptron whose gate sees all pixels', 'hidden1', () => mlp({ ...small, hidden: [9, 7], moe: { layers: [1], gateFrom: 'image', router: router(2, gapFc()) } })],
] as const;

describe.each(GATED)('surgery on %s', (_, layer, make) => {
  /** Scores that differ between rows, so that all experts run. */
  const spread = (network: LayersModel): LayersModel => {
    modelWeights(network).forEach(({ name, variable }) => {
      if (/\/router\/|^fc/.test(name)) tidy(() => variable.assign(tensor(createRng(4).stream(name).normal(variable.size, 0, 3), variable.shape)));
    });
    return network;
  };

  it('prunes, merges, extracts and changes k as the whole network with fixed or masked experts', async () => {
    const network = spread(make());
    const x = images(10);
    const logits = (model: LayersModel, experts?: Record<string, number | boolean[]>): number[] => logitsOf(moeModel(model), x, experts && { experts });
    const pruned = pruneExperts(network, { [layer]: [0, 2, 3] }, { slot: 'renormalise' });
    expect(logits(pruned)).toBeAllClose(logits(network, { [layer]: [true, false, true, true] }), { rtol: 1e-4, atol: 1e-5 });
    const zeroed = pruneExperts(network, { [layer]: [0, 2, 3] });
    expect(moeModel(zeroed).moeLayers).toEqual(moeModel(network).moeLayers);
    const merged = mergeExperts(network, { [layer]: [[0, 1], [2], [3]] });
    expect(logits(merged, { [layer]: 2 })).toBeAllClose(logits(network, { [layer]: 2 }), { rtol: 1e-4, atol: 1e-5 });
    const dense = extractExperts(network, { [layer]: 3 });
    expect(logits(dense)).toBeAllClose(logits(network, { [layer]: 3 }), { rtol: 1e-4, atol: 1e-5 });
    expect(moeModel(dense).moeLayers.map(({ name }) => name)).toEqual(moeModel(network).moeLayers.map(({ name }) => name).filter((name) => name !== layer));
    const single = withTopK(network, 1);
    expect(countMacs(single)).toBe(countMacs(network, { topK: 1 }));
    const copy = await reload(pruned);
    expect(logits(copy)).toEqual(logits(pruned));
    x.dispose();
    [network, pruned, zeroed, merged, dense, single, copy].forEach((model) => model.dispose());
  });
});
