import { createRng, expectArgument, expectInteger, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { type Tensor, tensor } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { describeNetwork } from './describe-network.js';
import { type FoldOptions, foldExperts } from './fold-experts.js';
import { expertWeightName, rebuild, valuesByName } from './rebuild.js';

/** Options of {@link upcycle}. */
export interface UpcycleOptions extends FoldOptions {
  /** Standard deviation of what is added to the experts' kernels, in standard deviations of the kernel. @defaultValue 0, exact copies */
  readonly noise?: number;
  /** Seed of the new routers and of the noise. @defaultValue the seed of the dense network */
  readonly seed?: number;
}

function expectOptions(options: UpcycleOptions): void {
  expectKnownKeys('upcycle', options, ['at', 'kind', 'router', 'downsample', 'noise', 'seed']);
  const { kind, router, downsample, noise = 0, seed = 0 } = options;
  expectOneOf('upcycle', 'kind', kind, ['block', 'conv', 'dense']);
  expectArgument('upcycle', 'router', typeof router === 'function' || typeof router?.route === 'function', 'be a Router or a function that returns one', router);
  expectArgument('upcycle', 'downsample', downsample === undefined || kind === 'conv', `be left out with kind '${kind}'`, downsample);
  expectNumber('upcycle', 'noise', noise, 0);
  expectInteger('upcycle', 'seed', seed, 0);
}

/**
 * Makes a sparse network of a trained dense one: every expert starts as a copy of what it replaces, with a new router before them.
 *
 * @remarks
 * In evaluation the new network computes what the dense one did: to the bit where the weight of a chosen expert is 1 (`topKRouter` with K = 1), to float tolerance
 * where the weights of a row sum to 1, and scaled otherwise (`switchRouter`). Routing alone tells equal experts apart in training; `noise` does it at once, at the
 * price of exactness. Start the optimiser afresh.
 *
 * @param dense   - a network of this package, from {@link resnet} or {@link vit}, from a file or with weights of PyTorch. It is left as it was.
 * @param options - see {@link UpcycleOptions}.
 * @returns A new model; the caller disposes it. It shares the numbers of the dense one until either is trained.
 * @throws {@link ArgumentError} if an option breaks its rule, a place does not exist or is not dense, or the model has layers of another kind.
 * @see {@link https://arxiv.org/abs/2212.05055 | Komatsuzaki et al. 2023}, "Sparse upcycling".
 *
 * @example
 * const sparse = upcycle(dense, { at: 'layer4', kind: 'block', router: topKRouter({ numExperts: 4, gate: gapFc() }) });
 */
export function upcycle(dense: LayersModel, options: UpcycleOptions): LayersModel {
  expectOptions(options);
  const described = describeNetwork('upcycle', dense);
  const { noise = 0, seed = described.seed } = options;
  const values = valuesByName(dense);
  return rebuild({ ...foldExperts('upcycle', described, options), seed }, (name) => {
    const same = values.get(name);
    const expert = expertWeightName(name);
    if (same !== undefined || expert === undefined) return same;
    const { layer, rest } = expert;
    const value = values.get(`${layer}/${rest}`) ?? values.get(`${layer}.${rest}`);
    return value !== undefined && noise > 0 && rest.endsWith('kernel') ? disturbed(value, noise, seed, name) : value;
  });
}

function disturbed(value: Tensor, noise: number, seed: number, name: string): Tensor {
  const values = Float32Array.from(value.dataSync());
  const mean = values.reduce((total, v) => total + v, 0) / values.length;
  const std = Math.sqrt(values.reduce((total, v) => total + (v - mean) ** 2, 0) / values.length);
  const draws = createRng(seed).stream('upcycle').stream(name).normal(values.length, 0, noise * std);
  return tensor(draws.map((draw, i) => draw + values[i]!), value.shape);
}
