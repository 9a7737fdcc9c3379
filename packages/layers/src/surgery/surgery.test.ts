import { createRng, topKIndices } from '@moe/core';
import { type Router, convGap, equalGate, gapFc, softmaxRouter, topKRouter } from '@moe/router';
import { expectTensorsKept } from '@moe/testing';
import { type Scalar, type Tensor, argMax, grad, io, memory, split, sum, tensor, tidy, tile, zeros } from '@tensorflow/tfjs-core';
import { type LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { countParameters } from '../counting/count.js';
import { modelWeights } from '../model/model-weights.js';
import { moeModel } from '../model/moe-model.js';
import { resnet } from '../resnet.js';
import { vit } from '../vit.js';
import { mergeExperts } from './merge-experts.js';
import { pruneExperts } from './prune-experts.js';
import { expertValues, replaceExpert } from './replace-expert.js';
import { routerNormChange } from './router-norm-change.js';
import { withTopK } from './with-top-k.js';

const small = { depth: 10, width: 2, stem: 'cifar', classes: 3, inputShape: [8, 8, 3], seed: 5 } as const;
const LAYER = 'layer4.0';
const E = 4;
const router = (topK = 2): Router => topKRouter({ numExperts: E, topK, gate: gapFc(), balance: { loss: 'switchLoss', weight: 0.5 } });
/** Images of one colour each, so that their means differ. */
const images = (): Tensor => tile(tensor(createRng(3).uniform(12 * 3), [12, 1, 1, 3]), [1, 8, 8, 1]);

/** A network whose gate spreads the rows over all experts. */
function spread(options: Partial<Parameters<typeof resnet>[0]> = {}): LayersModel {
  const network = resnet({ ...small, moe: { at: LAYER, kind: 'block', router: router() }, ...options });
  modelWeights(network).forEach(({ name, variable }) => {
    if (name.includes('/router/')) tidy(() => variable.assign(tensor(createRng(4).stream(name).normal(variable.size, 0, 4), variable.shape)));
    if (/moving|gamma|beta/.test(name)) tidy(() => variable.assign(tensor(createRng(4).stream(name).uniform(variable.size, 0.5, 1.5), variable.shape)));
  });
  return network;
}

const logits = (model: LayersModel, options: Parameters<ReturnType<typeof moeModel>['forward']>[1] = {}): number[] => tidy(() => Array.from(moeModel(model).forward(images(), options).logits.dataSync()));
const chosen = (model: LayersModel): readonly number[] => tidy(() => Array.from(argMax(moeModel(model).forward(images()).routing[0]!.combineWeights, 1).dataSync()));
const assign = (model: LayersModel, name: string, make: (shape: number[]) => Tensor): void => {
  const { variable } = modelWeights(model).find((weight) => weight.name === name)!;
  tidy(() => variable.assign(make(variable.shape)));
};

describe('pruneExperts', () => {
  it("with 'zero' equals the whole network whose pruned experts give 0", () => {
    const network = spread({ moe: { at: 'layer4.0.conv2', kind: 'conv', router: softmaxRouter({ numExperts: E, gate: gapFc() }) } });
    const layer = 'layer4.0.conv2';
    const pruned = pruneExperts(network, { [layer]: [3, 0] });
    expect(logits(pruned)).not.toBeAllClose(logits(network), { rtol: 1e-3 });
    for (const expert of [1, 2]) assign(network, `${layer}/expert${expert}/kernel`, zeros);
    expect(logits(pruned)).toEqual(logits(network));
    expect(countParameters(network) - countParameters(pruned)).toBe(2 * 9 * 16 * 16);
    expect(moeModel(pruned).moeLayers).toEqual(moeModel(network).moeLayers);
    [network, pruned].forEach((model) => model.dispose());
  });

  it("with 'renormalise' equals the whole network that may only choose among the rest", () => {
    for (const gate of [gapFc(), convGap({ kernel: 1 }), equalGate({ numExperts: E })]) {
      const make = (topK: number) => (gate.name === 'equalGate' ? softmaxRouter({ numExperts: E, gate }) : topKRouter({ numExperts: E, topK, gate }));
      const network = spread({ moe: { at: LAYER, kind: 'block', router: make(2) } });
      const pruned = pruneExperts(network, { [LAYER]: [1, 3, 2] }, { slot: 'renormalise' });
      expect(logits(pruned)).toBeAllClose(logits(network, { experts: { [LAYER]: [false, true, true, true] } }), { rtol: 1e-4, atol: 1e-5 });
      expect(moeModel(pruned).moeLayers[0]!.numExperts).toBe(3);
      expect(logits(pruned, { experts: { [LAYER]: 2 } })).toEqual(logits(network, { experts: { [LAYER]: 3 } }));
      [network, pruned].forEach((model) => model.dispose());
    }
  });

  it('works on the tokens of a transformer', () => {
    const network = vit({ classes: 3, inputShape: [8, 8, 3], seed: 5, patch: 4, width: 8, depth: 2, hidden: 12, heads: 2, moe: { layers: [1], router: router(), sharedStart: false } });
    modelWeights(network).forEach(({ name, variable }) => tidy(() => variable.assign(tensor(createRng(4).stream(name).normal(variable.size, 0, 0.5), variable.shape))));
    const layer = moeModel(network).moeLayers[0]!.name;
    const pruned = pruneExperts(network, { [layer]: [1, 3] }, { slot: 'renormalise' });
    expect(logits(pruned)).toBeAllClose(logits(network, { experts: { [layer]: [false, true, false, true] } }), { rtol: 1e-4, atol: 1e-5 });
    [network, pruned].forEach((model) => model.dispose());
  });

  it('may be done again, and to one expert', () => {
    const network = spread();
    const first = pruneExperts(network, { [LAYER]: [0, 2, 3] });
    const second = pruneExperts(first, { [LAYER]: [2, 3] });
    const last = pruneExperts(second, { [LAYER]: [3] }, { slot: 'renormalise' });
    const atOnce = pruneExperts(network, { [LAYER]: [2, 3] });
    expect(logits(second)).toEqual(logits(atOnce));
    expect(logits(last)).toBeAllClose(logits(network, { experts: { [LAYER]: 3 } }), { rtol: 1e-4, atol: 1e-5 });
    expect(() => pruneExperts(second, { [LAYER]: [0] })).toThrow("pruneExperts: keep['layer4.0'] must hold at least one expert that was not pruned, got [0].");
    [network, first, second, last, atOnce].forEach((model) => model.dispose());
  });

  it('has a gradient where all rows go to pruned experts: 0', () => {
    const network = spread({ moe: { at: LAYER, kind: 'block', router: router(1) } });
    const unused = [0, 1, 2, 3].find((expert) => !chosen(network).includes(expert)) ?? 0;
    const pruned = pruneExperts(network, { [LAYER]: [unused] });
    const x = tidy(() => split(images(), 12)[chosen(network).findIndex((expert) => expert !== unused)]!.clone());
    const slope = tidy(() => Array.from(grad((v) => sum(moeModel(pruned).forward(v).logits) as Scalar)(x).dataSync()));
    expect(Math.max(...slope.map(Math.abs))).toBe(0);
    [network, pruned, x].forEach((each) => each.dispose());
  });

  it('comes back from a saved file', async () => {
    const network = spread();
    const pruned = pruneExperts(network, { [LAYER]: [1, 2] });
    let saved: io.ModelArtifacts | undefined;
    await pruned.save(io.withSaveHandler((artifacts) => {
      saved = JSON.parse(JSON.stringify({ ...artifacts, weightData: undefined })) as io.ModelArtifacts;
      saved.weightData = artifacts.weightData!;
      return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } });
    }));
    const copy = await loadLayersModel(io.fromMemory(saved!));
    expect(logits(copy)).toEqual(logits(pruned));
    [network, pruned, copy].forEach((model) => model.dispose());
  });

  it('keeps nothing alive after dispose', () => {
    const network = spread();
    const before = memory().numTensors;
    pruneExperts(network, { [LAYER]: [1, 2] }, { slot: 'renormalise' }).dispose();
    mergeExperts(network, { [LAYER]: [[0, 1], [2, 3]] }).dispose();
    withTopK(network, 1).dispose();
    expect(memory().numTensors).toBe(before);
    network.dispose();
  });

  it.each<[Record<string, number[]>, object, string]>([
    [{ 'layer3.0': [0] }, {}, "pruneExperts: layers must be MoE layers (layer4.0), got 'layer3.0'."],
    [{ [LAYER]: [] }, {}, "pruneExperts: keep['layer4.0'] must hold at least one expert that was not pruned, got []."],
    [{ [LAYER]: [4] }, {}, "pruneExperts: keep['layer4.0'][0] must be an integer in [0, 3], got 4."],
    [{ [LAYER]: [1] }, { slot: 'one' }, "pruneExperts: slot must be one of 'zero', 'renormalise', got 'one'."],
  ])('refuses %j %j', (keep, options, message) => {
    const network = spread();
    expectTensorsKept(0, () => expect(() => pruneExperts(network, keep, options)).toThrow(message));
    network.dispose();
  });
});

describe('routerNormChange', () => {
  it('is the difference of norms, by hand, and ranks experts that learned first', () => {
    const [before, after] = [spread(), spread()];
    // 8 features at the input of the block: columns of norm 3 become columns of norm 5, 3, 1 and 3.5.
    const columns = (norms: readonly number[]) => () => tensor(Float32Array.from({ length: 8 * E }, (_, i) => (i < E ? norms[i]! : 0)), [8, E]);
    assign(before, `${LAYER}/router/kernel`, columns([3, -3, 3, 3]));
    assign(after, `${LAYER}/router/kernel`, columns([-5, 3, 1, 3.5]));
    const scores = routerNormChange(before, after);
    expect(Object.keys(scores)).toEqual([LAYER]);
    expect(scores[LAYER]!).toBeAllClose([2, 0, -2, 0.5]);
    expect(Array.from(topKIndices(scores[LAYER]!, E, 2))).toEqual([0, 3]);
    [before, after].forEach((model) => model.dispose());
  });

  it('takes filters of a Conv-GAP gate as columns, and refuses gates without any', () => {
    const conv = spread({ moe: { at: LAYER, kind: 'block', router: topKRouter({ numExperts: E, gate: convGap() }) } });
    expectTensorsKept(0, () => expect(Array.from(routerNormChange(conv, conv)[LAYER]!)).toEqual([0, 0, 0, 0]));
    const equal = spread({ moe: { at: LAYER, kind: 'block', router: softmaxRouter({ numExperts: E, gate: equalGate({ numExperts: E }) }) } });
    expect(() => routerNormChange(equal, equal)).toThrow("routerNormChange: gate of 'layer4.0' must have a kernel […,4] in both networks");
    [conv, equal].forEach((model) => model.dispose());
  });
});

describe('mergeExperts', () => {
  it('changes nothing where the members are equal, and shrinks the network', () => {
    const network = spread();
    replaceExpert(network, LAYER, 2, expertValues(network, LAYER, 0));
    const merged = mergeExperts(network, { [LAYER]: [[2, 0], [3], [1]] }, { weights: { [LAYER]: [0.5, 1, 3.5, 0.1] } });
    expect(logits(merged)).toBeAllClose(logits(network), { rtol: 1e-4, atol: 1e-5 });
    expect(countParameters(network) - countParameters(merged)).toBe(9 * 8 * 16 + 9 * 16 * 16 + 8 * 16 + 3 * 32);
    [0, 1, 2, 3].forEach((expert) => expect(logits(merged, { experts: { [LAYER]: expert } })).toBeAllClose(logits(network, { experts: { [LAYER]: expert } }), { rtol: 1e-4, atol: 1e-5 }));
    [network, merged].forEach((model) => model.dispose());
  });

  it('takes weighted means', () => {
    const network = spread();
    [4, 8].forEach((value, expert) => assign(network, `${LAYER}/expert${expert}/bn1/gamma`, (shape) => tensor(new Float32Array(16).fill(value), shape)));
    const merged = mergeExperts(network, { [LAYER]: [[0, 1], [2, 3]] }, { weights: { [LAYER]: [3, 1, 1, 1] } });
    expect(expertValues(merged, LAYER, 1).get('bn1/gamma')!.data).toEqual(new Float32Array(16).fill(5));
    const pruned = pruneExperts(merged, { [LAYER]: [1, 2] }, { slot: 'renormalise' });
    expect(expertValues(pruned, LAYER, 0).get('bn1/gamma')!.data).toEqual(new Float32Array(16).fill(5));
    [network, merged, pruned].forEach((model) => model.dispose());
  });

  it('refuses groups that do not hold each expert once', () => {
    const network = spread();
    for (const groups of [[[0, 1], [2]], [[0, 1], [1, 2, 3]], [[0, 1, 2, 3], []]]) expect(() => mergeExperts(network, { [LAYER]: groups })).toThrow('must hold each of the 4 experts once');
    expect(() => mergeExperts(network, { [LAYER]: [[0, 1], [2, 3]] }, { weights: { [LAYER]: [0, 0, 1, 1] } })).toThrow('must have a sum above 0 in every group');
    network.dispose();
  });
});

describe('withTopK', () => {
  it('equals a network built with that number', () => {
    for (const [trained, tested] of [[1, 3], [2, 1], [2, 4], [1, 1]] as const) {
      const [network, built] = [trained, tested].map((topK) => spread({ moe: { at: LAYER, kind: 'block', router: router(topK) } })) as [LayersModel, LayersModel];
      const changed = withTopK(network, tested);
      expect(moeModel(changed).moeLayers[0]!.topK).toBe(tested);
      expect(logits(changed)).toEqual(logits(built));
      [network, built, changed].forEach((model) => model.dispose());
    }
  });

  it('changes the named layers alone, and refuses what the router has not', () => {
    const network = spread({ moe: { at: ['layer3', 'layer4'], kind: 'block', router: router() } });
    const changed = withTopK(network, { 'layer3.0': 1 });
    expect(moeModel(changed).moeLayers.map(({ topK }) => topK)).toEqual([1, 2]);
    expect(() => withTopK(network, 5)).toThrow("withTopK: topK of 'layer3.0' must be an integer in [1, 4], got 5.");
    const soft = spread({ moe: { at: LAYER, kind: 'block', router: softmaxRouter({ numExperts: E, gate: gapFc() }) } });
    expect(() => withTopK(soft, 2)).toThrow('withTopK: topK must be 4, because softmaxRouter has no such option, got 2.');
    [network, changed, soft].forEach((model) => model.dispose());
  });
});

describe('replaceExpert', () => {
  it('puts an expert of another network in the place', () => {
    const [network, other] = [spread(), resnet({ ...small, seed: 9, moe: { at: LAYER, kind: 'block', router: router() } })];
    const values = expertValues(other, LAYER, 2);
    expectTensorsKept(0, () => replaceExpert(network, LAYER, 1, values));
    expect(expertValues(network, LAYER, 1)).toEqual(values);
    expect(expertValues(network, LAYER, 0)).not.toEqual(expertValues(other, LAYER, 0));
    [network, other].forEach((model) => model.dispose());
  });

  it('refuses other shapes and experts that do not exist or were pruned', () => {
    const network = spread();
    expect(() => replaceExpert(network, LAYER, 1, new Map())).toThrow("replaceExpert: tensors must hold every weight of the model, got none named 'conv1/kernel'");
    expect(() => expertValues(network, LAYER, 4)).toThrow("expertValues: expert of 'layer4.0' must be an integer in [0, 3], got 4.");
    const pruned = pruneExperts(network, { [LAYER]: [0] });
    expect(() => expertValues(pruned, LAYER, 1)).toThrow("expertValues: expert of 'layer4.0' must be an expert that was not pruned, got 1.");
    [network, pruned].forEach((model) => model.dispose());
  });
});
