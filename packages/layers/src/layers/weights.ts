// Shapes: k kernel, C channels in, F filters.
import type { Rng } from '@moe/core';
import { type BlockSpec, type ConvSpec, blockConvs } from '../spec/parts.js';

/** A weight to be created: where its first value comes from, and whether optimisers move it. */
export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly trainable: boolean;
  readonly draw: (rng: Rng) => Float32Array;
}

const constant = (name: string, channels: number, value: number, trainable: boolean): WeightSpec => ({
  name,
  shape: [channels],
  trainable,
  draw: () => new Float32Array(channels).fill(value),
});

/**
 * Kernel of a convolution, Kaiming-normal with gain √2.
 *
 * @param fan - `'out'` for a backbone (torchvision), `'in'` for experts (released code of *Robust Experts*).
 * @see {@link https://arxiv.org/abs/1502.01852 | He et al. 2015}
 */
export function convWeights({ inChannels, filters, kernelSize }: ConvSpec, fan: 'in' | 'out'): readonly WeightSpec[] {
  const shape = [kernelSize, kernelSize, inChannels, filters];
  const std = Math.sqrt(2 / (kernelSize ** 2 * (fan === 'in' ? inChannels : filters)));
  return [{ name: 'kernel', shape, trainable: true, draw: (rng) => rng.normal(kernelSize ** 2 * inChannels * filters, 0, std) }];
}

/** Scale 1, shift 0, running mean 0, running variance 1. */
export function batchNormWeights(channels: number): readonly WeightSpec[] {
  return [
    constant('gamma', channels, 1, true),
    constant('beta', channels, 0, true),
    constant('movingMean', channels, 0, false),
    constant('movingVariance', channels, 1, false),
  ];
}

/** Kernel and bias U(±1/√fan-in), the default of PyTorch. */
export function linearWeights(features: number, units: number): readonly WeightSpec[] {
  const bound = 1 / Math.sqrt(features);
  return [
    { name: 'kernel', shape: [features, units], trainable: true, draw: (rng) => rng.uniform(features * units, -bound, bound) },
    { name: 'bias', shape: [units], trainable: true, draw: (rng) => rng.uniform(units, -bound, bound) },
  ];
}

const under = (prefix: string, specs: readonly WeightSpec[]): readonly WeightSpec[] => specs.map((spec) => ({ ...spec, name: `${prefix}/${spec.name}` }));

/** All weights of one BasicBlock as an expert, batch norms included. */
export function blockWeights(block: BlockSpec): readonly WeightSpec[] {
  const { conv1, conv2, downsample } = blockConvs(block);
  return [
    ...under('conv1', convWeights(conv1, 'in')),
    ...under('bn1', batchNormWeights(block.filters)),
    ...under('conv2', convWeights(conv2, 'in')),
    ...under('bn2', batchNormWeights(block.filters)),
    ...(downsample === undefined ? [] : [...under('downsample.0', convWeights(downsample, 'in')), ...under('downsample.1', batchNormWeights(block.filters))]),
  ];
}
