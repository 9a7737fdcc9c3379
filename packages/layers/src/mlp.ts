import { expectArgument, expectInteger } from '@moe/core';
import type { Router } from '@moe/router';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { buildNetwork } from './build-network.js';
import { type NetworkOptions, expectCommonOptions } from './spec/network-options.js';
import { partOutputShape } from './spec/part-shape.js';
import type { LayerPart, LayerSpec, NetworkSpec } from './spec/parts.js';

export interface MlpOptions extends Omit<NetworkOptions, 'moe' | 'batchNorm'> {
  /** Units of the hidden layers, in order. */
  readonly hidden: readonly number[];
  /** Which hidden layers (numbers from 0) are mixtures of such layers, and their router. @defaultValue dense */
  readonly moe?: { readonly layers: readonly number[]; readonly router: Router };
}

/**
 * Describes a multi-layer perceptron without making any weight.
 *
 * @returns What {@link mlp} builds.
 * @throws {@link ArgumentError} if an option breaks its rule.
 */
export function mlpSpec(options: MlpOptions): NetworkSpec {
  expectCommonOptions('mlp', options, ['hidden']);
  const { hidden, moe, classes, inputShape, normalize, seed } = options;
  expectArgument('mlp', 'hidden', hidden.length >= 1, 'have at least one layer', hidden);
  hidden.forEach((units, i) => expectInteger('mlp', `hidden[${i}]`, units, 1));
  if (moe !== undefined) expectArgument('mlp', 'moe.layers', moe.layers.length >= 1 && moe.layers.every((layer) => Number.isInteger(layer) && layer >= 0 && layer < hidden.length), `be numbers of hidden layers from 0 to ${hidden.length - 1}`, moe.layers);

  const layers: LayerSpec[] = [];
  let [last, shape] = ['input', inputShape];
  const push = (name: string, part: LayerPart): void => {
    const outputShape = partOutputShape(part, shape);
    layers.push({ name, part, inputs: [last], inputShape: shape, outputShape });
    [last, shape] = [name, outputShape];
  };
  if (normalize !== undefined) push('normalize', { kind: 'normalize', mean: normalize.mean, std: normalize.std });
  push('flatten', { kind: 'flatten' });
  hidden.forEach((units, i) => {
    const mixes = moe !== undefined && moe.layers.includes(i) && moe.router.numExperts > 1;
    push(`hidden${i}`, mixes ? { kind: 'linearMoe', units, router: moe.router } : { kind: 'linear', units, activation: 'relu' });
  });
  push('fc', { kind: 'linear', units: classes });
  return { name: 'mlp', inputShape, classes, seed, layers };
}

/**
 * A multi-layer perceptron with ReLU as an ordinary tfjs model, dense or with mixtures of experts in place of hidden layers.
 *
 * @param options - see {@link MlpOptions}.
 * @returns Model `[B,H,W,C]` in [0, 1] → logits `[B,M]`, not softmaxed; the caller disposes it.
 * @throws {@link ArgumentError} if an option breaks its rule.
 *
 * @example
 * const model = mlp({ hidden: [64, 64], classes: 10, inputShape: [28, 28, 1], seed: 1, moe: { layers: [1], router } });
 */
export function mlp(options: MlpOptions): LayersModel {
  return buildNetwork(mlpSpec(options));
}
