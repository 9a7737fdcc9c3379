import { createRng } from '@moe/core';
import { type Router, buildPlan, gapFc, topKRouter } from '@moe/router';
import { type Tensor, type Tensor2D, cast, mul, oneHot, reshape, scalar, sum, tensor, tensor1d, tidy, zeros } from '@tensorflow/tfjs-core';
import { type LayersModel, type SymbolicTensor, input, model as asModel } from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { moeModel } from '../model/moe-model.js';
import { reload } from '../model/testing-fixtures.js';
import { resnet } from '../resnet.js';
import { LinearMoe } from './linear-moe.js';
import { registerMoeLayers } from './register.js';

/** Row t to expert t mod E. */
const alternate = (numExperts: number): Router => ({
  name: 'alternate',
  options: { numExperts },
  numExperts,
  topK: 1,
  batchInvariant: false,
  continuous: true,
  gradientPath: 'none',
  init: () => ({}),
  route: (_weights, inputs, context) =>
    buildPlan(() => {
      const experts = Array.from({ length: inputs.shape[0]! }, (_, t) => t % numExperts);
      const gates = cast(oneHot(tensor1d(experts, 'int32'), numExperts), 'float32') as Tensor2D;
      return { gateLogits: zeros(gates.shape), gates, combineWeights: gates, chosen: gates.dataSync() };
    }, context),
});
const sumGate = (): ReturnType<typeof gapFc> => ({ name: 'sumGate', options: {}, init: () => ({}), logits: (_weights, inputs) => tidy(() => mul(reshape(sum(inputs, 1), [-1, 1]), tensor1d([1, -1])) as Tensor2D) });
const flatLoss = (): ReturnType<typeof scalar> => scalar(7);

const build = (router: Router): LayersModel => {
  const rows = input({ shape: [3] });
  return asModel({ inputs: rows, outputs: new LinearMoe({ name: 'moe', width: 3, units: 2, router, seed: 1 }).apply(rows) as SymbolicTensor });
};

describe('registerMoeLayers', () => {
  it('lets models with routers, gates and losses of the caller load, also after networks registered again', async () => {
    const own = [build(alternate(2)), build(topKRouter({ numExperts: 2, gate: sumGate(), balance: { loss: flatLoss, weight: 2 } }))];
    registerMoeLayers();
    await expect(reload(own[0]!)).rejects.toThrow("routerFromConfig: name must be one of");
    registerMoeLayers({ routers: { alternate: ({ numExperts }) => alternate(numExperts as number) } });
    registerMoeLayers({ gates: { sumGate }, losses: { flatLoss } });
    resnet({ depth: 10, width: 1, stem: 'cifar', classes: 2, inputShape: [8, 8, 1], seed: 1 }).dispose();
    const x = tensor(createRng(1).normal(12), [4, 3]);
    for (const model of own) {
      const copy = await reload(model);
      tidy(() => {
        expect(copy.apply(x) as Tensor).toBeAllClose(model.apply(x) as Tensor, { rtol: 0, atol: 0 });
        expect(moeModel(copy).forward(x).auxLoss).toBeAllClose(moeModel(model).forward(x).auxLoss);
      });
      copy.dispose();
      model.dispose();
    }
    x.dispose();
  });

  it('refuses parts of an unknown kind', () => {
    expect(() => registerMoeLayers({ router: {} } as never)).toThrow("registerMoeLayers: unknown option 'router'. Did you mean 'routers'?");
  });
});
