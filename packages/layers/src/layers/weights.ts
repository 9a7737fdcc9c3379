// Shapes: k kernel, C channels in, F filters.
import type { Rng } from '@moe/core';
import { type BlockSpec, type ConvSpec, blockConvs, outerSkip } from '../spec/parts.js';

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

/** Xavier-uniform kernel `[from,to]`, or several of one fan, U(±√(6/(from + to))). */
const xavier = (name: string, from: number, to: number, shape: readonly number[] = [from, to]): WeightSpec => {
  const bound = Math.sqrt(6 / (from + to));
  return { name, shape, trainable: true, draw: (rng) => rng.uniform(sizeOf(shape), -bound, bound) };
};

const normal = (name: string, shape: readonly number[], std: number): WeightSpec => ({ name, shape, trainable: true, draw: (rng) => rng.normal(sizeOf(shape), 0, std) });

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Kernel and bias that start at 0, as the classifiers of vision transformers do. */
export const zeroLinearWeights = (features: number, units: number): readonly WeightSpec[] => [
  { name: 'kernel', shape: [features, units], trainable: true, draw: () => new Float32Array(features * units) },
  constant('bias', units, 0, true),
];

/** Convolution of a patch to one token: LeCun-normal kernel `[p,p,C,D]`, bias 0. */
export const patchWeights = (patch: number, channels: number, width: number): readonly WeightSpec[] => [
  normal('kernel', [patch, patch, channels, width], 1 / Math.sqrt(patch * patch * channels)),
  constant('bias', width, 0, true),
];

/** Class token 0 and learned positions N(0, 0.02²), where there are any. */
export const tokenWeights = (tokens: number, width: number, { classToken, position }: { readonly classToken: boolean; readonly position: string }): readonly WeightSpec[] => [
  ...(classToken ? [{ ...constant('class', width, 0, true), shape: [1, 1, width] }] : []),
  ...(position === 'learned' ? [normal('position', [1, tokens, width], 0.02)] : []),
];

/** Scale 1 and shift 0. */
export const layerNormWeights = (width: number): readonly WeightSpec[] => [constant('gamma', width, 1, true), constant('beta', width, 0, true)];

/** Query, key, value and output projections, Xavier-uniform, biases 0. */
export const attentionWeights = (width: number): readonly WeightSpec[] =>
  ['query', 'key', 'value', 'out'].flatMap((name) => [xavier(`${name}/kernel`, width, width), constant(`${name}/bias`, width, 0, true)]);

/** Two layers `[D,h]` and `[h,D]`, Xavier-uniform, biases N(0, 1e-6²). */
export const feedForwardWeights = (width: number, hidden: number): readonly WeightSpec[] => [
  xavier('in/kernel', width, hidden),
  normal('in/bias', [hidden], 1e-6),
  xavier('out/kernel', hidden, width),
  normal('out/bias', [width], 1e-6),
];

/** A learned probe, attention, and a feed-forward residual behind a layer norm. */
export const attentionPoolWeights = (width: number, hidden: number): readonly WeightSpec[] => [
  xavier('probe', 1, width, [1, 1, width]),
  ...under('attention', attentionWeights(width)),
  ...under('norm', layerNormWeights(width)),
  ...under('mlp', feedForwardWeights(width, hidden)),
];

/** Kernel of some shape and bias U(±1/√fan-in), the default of PyTorch. */
function torchWeights(kernel: readonly number[], fanIn: number): readonly WeightSpec[] {
  const bound = 1 / Math.sqrt(fanIn);
  const uniform = (name: string, shape: readonly number[]): WeightSpec => ({ name, shape, trainable: true, draw: (rng) => rng.uniform(sizeOf(shape), -bound, bound) });
  return [uniform('kernel', kernel), uniform('bias', kernel.slice(-1))];
}

/** Kernel `[from,to]` and bias, as PyTorch's linear layers start. */
export const linearWeights = (features: number, units: number): readonly WeightSpec[] => torchWeights([features, units], features);

/** Kernel `[3,3,C,F]` and bias, as PyTorch's convolutions start. */
export const gateFeatureWeights = (channels: number, features: number): readonly WeightSpec[] => torchWeights([3, 3, channels, features], 9 * channels);

const under = (prefix: string, specs: readonly WeightSpec[]): readonly WeightSpec[] => specs.map((spec) => ({ ...spec, name: `${prefix}/${spec.name}` }));

/** All weights of one block as an expert, batch norms included, under a prefix such as `'0/'`. */
export function blockWeights(block: BlockSpec, prefix = ''): readonly WeightSpec[] {
  const { branch, downsample } = blockConvs(block);
  const preactivation = block.kind === 'preactivation';
  return [
    ...branch.flatMap(({ name, conv }) => [
      ...under(`${prefix}${name}`, convWeights(conv, 'in')),
      ...under(`${prefix}${name.replace('conv', 'bn')}`, batchNormWeights(preactivation ? conv.inChannels : conv.filters)),
    ]),
    ...(downsample === undefined ? [] : under(`${prefix}downsample.0`, convWeights(downsample, 'in'))),
    ...(downsample === undefined || preactivation ? [] : under(`${prefix}downsample.1`, batchNormWeights(block.filters))),
  ];
}

/** All weights of several blocks in a row. */
export const stageWeights = (blocks: readonly BlockSpec[]): readonly WeightSpec[] => blocks.flatMap((block, i) => blockWeights(block, `${i}/`));

/** Weights of the skip beside a stage of experts. */
export function outerSkipWeights(stage: { readonly blocks: readonly BlockSpec[]; readonly residual: boolean }): readonly WeightSpec[] {
  const skip = outerSkip(stage);
  return skip === undefined ? [] : [...under('skip.0', convWeights(skip, 'out')), ...under('skip.1', batchNormWeights(skip.filters))];
}
