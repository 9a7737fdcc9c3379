import { createRng, expectArgument, expectInteger, expectKnownKeys, expectOneOf } from '@moe/core';
import { type Sequential, layers, sequential } from '@tensorflow/tfjs-layers';
import { AolDense } from './aol-dense.js';
import { BjorckDense } from './bjorck-dense.js';
import { CayleyDense } from './cayley-dense.js';
import { GroupSort } from './group-sort.js';
import type { LipschitzDenseArgs } from './linear-layer.js';

/** Options of {@link lipschitzMlp}. */
export interface LipschitzMlpOptions {
  /** Shape of one input, flattened first; [D] or [H,W,C]. */
  readonly inputShape: readonly number[];
  /** Features of the hidden layers, in order; multiples of `groupSize`. */
  readonly hidden: readonly number[];
  /** Outputs, such as one a class. */
  readonly units: number;
  /** How kernels are kept from stretching; see {@link AolDense}, {@link BjorckDense}, {@link CayleyDense}. @defaultValue 'cayley' */
  readonly kind?: 'aol' | 'bjorck' | 'cayley';
  /** Channels that {@link GroupSort} sorts among themselves behind every hidden layer. @defaultValue 2 */
  readonly groupSize?: number;
  readonly seed: number;
}

const KINDS = {
  aol: (args: LipschitzDenseArgs) => new AolDense(args),
  bjorck: (args: LipschitzDenseArgs) => new BjorckDense(args),
  cayley: (args: LipschitzDenseArgs) => new CayleyDense(args),
};

/**
 * A perceptron that is 1-Lipschitz in L2, as an ordinary tfjs model: a classifier, or an expert of a mixture.
 *
 * @remarks
 * Every margin between two of its logits changes by at most √2 times the length of a perturbation, so {@link certifiedRadius} is the margin over √2. In a softmax mixture of such experts
 * {@link softmaxMixtureBound} adds only what their disagreement costs. Register the layers with {@link registerLipschitzLayers} before such a model is loaded.
 *
 * @returns Model from inputs to `[B,units]`; the caller disposes it.
 * @throws {@link ArgumentError} if an option breaks its rule; {@link ShapeError} if `groupSize` does not divide a hidden layer.
 *
 * @example
 * const expert = (index) => lipschitzMlp({ inputShape: [16], hidden: [32], units: 10, seed: index });
 * const moe = new CustomMoe({ name: 'moe', expert, router, seed: 1 }); // of `@moe/layers`
 */
export function lipschitzMlp(options: LipschitzMlpOptions): Sequential {
  const caller = 'lipschitzMlp';
  expectKnownKeys(caller, options, ['inputShape', 'hidden', 'units', 'kind', 'groupSize', 'seed']);
  const { inputShape, hidden, units, kind = 'cayley', groupSize = 2, seed } = options;
  expectArgument(caller, 'inputShape', inputShape.length > 0 && inputShape.every((size) => Number.isInteger(size) && size > 0), 'hold integers ≥ 1', inputShape);
  hidden.forEach((features, i) => expectInteger(caller, `hidden[${i}]`, features, 1));
  expectInteger(caller, 'units', units, 1);
  expectOneOf(caller, 'kind', kind, ['aol', 'bjorck', 'cayley']);
  expectInteger(caller, 'seed', seed, 0);
  const seedOf = (layer: number): number => createRng(seed).stream('layer').at(layer).nextSeed();
  return sequential({
    layers: [
      // Flatten refuses inputs that are flat.
      inputShape.length === 1 ? layers.inputLayer({ inputShape: [...inputShape] }) : layers.flatten({ inputShape: [...inputShape] }),
      ...hidden.flatMap((features, i) => [KINDS[kind]({ units: features, seed: seedOf(i) }), new GroupSort({ groupSize })]),
      KINDS[kind]({ units, seed: seedOf(hidden.length) }),
    ],
  });
}
