import { createRng } from '@moe/core';
import { gapFc, softMoeRouter, topKRouter } from '@moe/router';
import { expectTensorsKept } from '@moe/testing';
import { type Scalar, type Tensor, add, clone, concat, dispose, memory, mul, serialization, slice, square, sum, tensor, tidy, variableGrads } from '@tensorflow/tfjs-core';
import { type LayersModel, type Shape, type SymbolicTensor, initializers, input, layers, model as asModel, regularizers, sequential } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countMacs, countParameters } from '../counting/count.js';
import { modelWeights } from '../model/model-weights.js';
import { moeModel } from '../model/moe-model.js';
import { reload, weight } from '../model/testing-fixtures.js';
import { CustomMoe, type CustomMoeArgs } from './custom-moe.js';
import { registerMoeLayers } from './register.js';

const router = topKRouter({ numExperts: 3, gate: gapFc() });
const dense = (index: number): layers.Layer => layers.dense({ units: 2, kernelInitializer: initializers.heNormal({ seed: index }) });
const pair = (index: number): LayersModel =>
  sequential({ layers: [layers.dense({ units: 6, inputShape: [4], activation: 'relu', kernelInitializer: initializers.heNormal({ seed: index }) }), layers.batchNormalization({}), layers.dropout({ rate: 0.5, seed: 1 }), layers.dense({ units: 2, kernelInitializer: initializers.heNormal({ seed: index }) })] });

/** A class of the user's own: x ↦ scale · x. */
class Scale extends layers.Layer {
  static readonly className = 'TestScale';
  readonly scale: number;

  constructor(args: { readonly name?: string; readonly scale: number }) {
    super(args);
    this.scale = args.scale;
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return mul([inputs].flat()[0]!, this.scale);
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), scale: this.scale };
  }
}

let x: Tensor;
beforeAll(() => {
  registerMoeLayers();
  x = tensor(createRng(1).normal(24), [6, 4]);
});
afterAll(() => x.dispose());

const build = (args: Partial<CustomMoeArgs> & Pick<CustomMoeArgs, 'expert'>, shape = [4]): LayersModel => {
  const rows = input({ shape });
  return asModel({ inputs: rows, outputs: new CustomMoe({ name: 'moe', router, seed: 1, ...args }).apply(rows) as SymbolicTensor });
};

describe('CustomMoe', () => {
  it('gives each row what the expert of its choice gives', () => {
    const made: layers.Layer[] = [];
    const network = build({ expert: (index) => (made[index] = dense(index)) });
    tidy(() => {
      const { logits, routing } = moeModel(network).forward(x);
      const choice = Array.from(routing[0]!.combineWeights.dataSync());
      const rows = Array.from({ length: 6 }, (_, row) => made[choice.slice(3 * row, 3 * row + 3).indexOf(1)]!.apply(slice(x, [row], [1])) as Tensor);
      expect(logits).toBeAllClose(concat(rows), { rtol: 1e-4, atol: 1e-5 });
      expect(moeModel(network).forward(x, { experts: { moe: 2 } }).logits).toBeAllClose(made[2]!.apply(x) as Tensor);
    });
    network.dispose();
  });

  it('owns the weights of its experts, under names of its own, and disposes them', () => {
    const before = memory().numTensors;
    const network = build({ expert: dense, sharedExperts: 1 });
    expect(modelWeights(network).map(({ name }) => name).sort()).toEqual(['expert0', 'expert1', 'expert2', 'router', 'shared0'].flatMap((part) => [`moe/${part}/bias`, `moe/${part}/kernel`]));
    expect(countParameters(network)).toBe(4 * 10 + 15);
    expect(() => countMacs(network)).toThrow("countMacs: layer 'moe' must be a layer of @moe/layers, got CustomMoe.");
    expectTensorsKept(0, () => tidy(() => void moeModel(network).forward(x, { training: true })));
    network.dispose();
    expect(memory().numTensors).toBe(before);
  });

  it('lets experts learn, hold whole models, regularisers and state, and freezes them all', () => {
    const network = build({ expert: pair, router: topKRouter({ numExperts: 3, topK: 3, gate: gapFc() }) });
    const moving = (): Float32Array[] => modelWeights(network).filter(({ name }) => name.includes('moving')).map(({ variable }) => variable.dataSync() as Float32Array);
    const start = moving();
    const trainable = modelWeights(network).filter((candidate) => candidate.trainable);
    const { value, grads } = variableGrads(() => sum(square(moeModel(network).forward(x, { training: true }).logits)) as Scalar, trainable.map(({ variable }) => variable));
    expect(trainable.length).toBe(3 * 6 + 2);
    expect(trainable.every(({ variable }) => grads[variable.name]!.dataSync().every(Number.isFinite))).toBe(true);
    expect(moving()).not.toEqual(start);
    network.getLayer('moe').trainable = false;
    expect(modelWeights(network).some((candidate) => candidate.trainable)).toBe(false);
    dispose([value, grads]);
    network.dispose();

    const regularised = build({ expert: () => layers.dense({ units: 2, kernelInitializer: 'ones', kernelRegularizer: regularizers.l2({ l2: 0.5 }) }) });
    tidy(() => void expect(regularised.calculateLosses().map((loss) => loss.dataSync()[0])).toEqual([4, 4, 4]));
    regularised.dispose();
  });

  it.each([
    ['layers', dense],
    ['models', pair],
    ['layers of a class of the user', (index: number): layers.Layer => new Scale({ scale: index + 1 })],
  ])('comes back from a file with experts that are %s', async (_, expert) => {
    serialization.registerClass(Scale);
    const network = build({ expert, sharedExperts: 1, sharedWeight: 0.5 });
    tidy(() => void moeModel(network).forward(x, { training: true }));
    const copy = await reload(network);
    tidy(() => void expect(copy.apply(x) as Tensor).toBeAllClose(network.apply(x) as Tensor, { rtol: 0, atol: 0 }));
    expect(modelWeights(copy).map(({ name, trainable }) => [name, trainable])).toEqual(modelWeights(network).map(({ name, trainable }) => [name, trainable]));
    network.dispose();
    copy.dispose();
  });

  it('routes tokens', () => {
    const network = build({ expert: (index) => new Scale({ scale: index + 1 }), rows: 'tokens', skip: true }, [5, 4]);
    const tokens = tensor(createRng(2).normal(40), [2, 5, 4]);
    tidy(() => {
      const moe = network.getLayer('moe');
      const { combineWeights } = ((): { combineWeights: Tensor } => {
        let found: Tensor | undefined;
        moe.call(tokens, { moe: { options: {}, previous: () => undefined, collect: (routing: { combineWeights: Tensor }) => (found = clone(routing.combineWeights)) } });
        return { combineWeights: found! };
      })();
      expect(combineWeights).toHaveShape([10, 3]);
      expect(network.apply(tokens)).toHaveShape([2, 5, 4]);
    });
    tidy(() => {
      weight(network, 'moe/router/bias').assign(tensor([0, 0, 100], [3]));
      expect(network.apply(tokens) as Tensor).toBeAllClose(add(mul(tokens, 3), tokens), { rtol: 1e-5 });
    });
    tokens.dispose();
    network.dispose();
  });

  it('is a Soft MoE layer with that router: experts run on slots of the tokens of an example', () => {
    const network = build({ expert: (index) => new Scale({ scale: index + 1 }), rows: 'tokens', router: softMoeRouter({ numExperts: 3, slotsPerExpert: 2 }) }, [5, 4]);
    const tokens = tensor(createRng(2).normal(40), [2, 5, 4]);
    tidy(() => {
      const both = network.apply(tokens) as Tensor;
      expect(both).toHaveShape([2, 5, 4]);
      expect(slice(both, [1], [1])).toBeAllClose(network.apply(slice(tokens, [1], [1])) as Tensor, { rtol: 1e-4, atol: 1e-5 });
    });
    tokens.dispose();
    network.dispose();
  });

  it('refuses experts that it could not keep apart', () => {
    const one = dense(0);
    expect(() => build({ expert: () => one })).toThrow('CustomMoe: expert must make a new layer for each of the 3 experts, got 1.');
    expect(() => build({ expert: (index) => layers.dense({ units: index + 1 }) })).toThrow('make layers of one output shape');
    expect(() => build({ expert: () => new CustomMoe({ name: 'inner', expert: dense, router, seed: 1 }) })).toThrow('make layers without MoE layers inside');
    expect(() => build({ expert: dense, rows: 'images' as never })).toThrow("CustomMoe: rows must be one of 'examples', 'tokens'");
  });
});
