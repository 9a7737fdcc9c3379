import { expectArgument, expectInteger, expectKnownKeys } from '@moe/core';
import type { Router } from '@moe/router';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { buildNetwork } from './build-network.js';
import { NetworkBuilder } from './spec/network-builder.js';
import { type NetworkOptions, type SharingOptions, expectCommonOptions, expectRate, expectSharing } from './spec/network-options.js';
import type { NetworkSpec } from './spec/parts.js';

export interface MlpOptions extends Omit<NetworkOptions, 'moe' | 'batchNorm'> {
  /** Units of the hidden layers, in order. */
  readonly hidden: readonly number[];
  /** Share of numbers that training drops behind every hidden layer, in [0, 1). @defaultValue 0 */
  readonly dropout?: number;
  /** Which hidden layers (numbers from 0) are mixtures of such layers, and their router, or a function of the number; with `gateFrom: 'image'` it sees all pixels. @defaultValue dense */
  readonly moe?: SharingOptions & { readonly layers: readonly number[]; readonly router: Router | ((layer: number) => Router) };
}

/**
 * Describes a multi-layer perceptron without making any weight.
 *
 * @returns What {@link mlp} builds.
 * @throws {@link ArgumentError} if an option breaks its rule.
 */
export function mlpSpec(options: MlpOptions): NetworkSpec {
  expectCommonOptions('mlp', options, ['hidden', 'dropout']);
  const { hidden, dropout = 0, moe, classes, inputShape, normalize, seed } = options;
  expectArgument('mlp', 'hidden', hidden.length >= 1, 'have at least one layer', hidden);
  hidden.forEach((units, i) => expectInteger('mlp', `hidden[${i}]`, units, 1));
  expectRate('mlp', 'dropout', dropout);
  if (moe !== undefined) {
    expectKnownKeys('mlp.moe', moe, ['layers', 'router', 'gateFrom', 'sharedExperts']);
    expectSharing('mlp', moe);
    expectArgument('mlp', 'moe.layers', moe.layers.length >= 1 && moe.layers.every((layer) => Number.isInteger(layer) && layer >= 0 && layer < hidden.length), `be numbers of hidden layers from 0 to ${hidden.length - 1}`, moe.layers);
  }

  const builder = new NetworkBuilder(inputShape, { ...(normalize !== undefined && { normalize }) });
  const pixels = builder.push('flatten', { kind: 'flatten' }, builder.image);
  const last = hidden.reduce((input, units, i) => {
    const name = `hidden${i}`;
    const router = moe?.layers.includes(i) !== true ? undefined : typeof moe.router === 'function' ? moe.router(i) : moe.router;
    const output =
      router !== undefined && router.numExperts > 1
        ? builder.push(name, { kind: 'linearMoe', units, router, sharedExperts: moe?.sharedExperts ?? 0 }, input, ...(moe?.gateFrom === 'image' ? [pixels] : []))
        : builder.push(name, { kind: 'linear', units, activation: 'relu' }, input);
    return dropout === 0 ? output : builder.push(`${name}.dropout`, { kind: 'dropout', rate: dropout }, output);
  }, pixels);
  builder.push('fc', { kind: 'linear', units: classes }, last);
  return { name: 'mlp', inputShape, classes, seed, layers: builder.layers };
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
