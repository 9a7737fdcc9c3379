// Shapes: H W pixels, C channels.
import { expectArgument, expectInteger } from '@moe/core';
import { NetworkBuilder } from './network-builder.js';
import { type NetworkOptions, expectNetworkOptions } from './network-options.js';
import type { BlockSpec, NetworkSpec } from './parts.js';
import { expectPlaces } from './places.js';

export interface WideResnetOptions extends NetworkOptions {
  /** 6n + 4, with n blocks in each of three stages. @defaultValue 28 */
  readonly depth?: number;
  /** Factor of the channels, 16, 32 and 64 times it. @defaultValue 10 */
  readonly widen?: number;
}

export interface PreactResnetOptions extends NetworkOptions {
  /** Blocks of the four stages. @defaultValue [2, 2, 2, 2], PreAct-ResNet-18 */
  readonly blocks?: readonly number[];
  /** Channels of the first stage; later ones have 2, 4 and 8 times as many. @defaultValue 64 */
  readonly width?: number;
}

interface Stage {
  readonly blocks: number;
  readonly filters: number;
}

/** Convolution 3x3, stages of preactivation blocks, batch norm, ReLU, mean over all positions, classifier. */
function preactivationSpec(caller: string, name: string, stem: number, stages: readonly Stage[], options: NetworkOptions): NetworkSpec {
  const { classes, inputShape, moe, seed } = options;
  const builder = new NetworkBuilder(inputShape, options);
  let last = builder.conv('conv1', { inChannels: inputShape[2]!, filters: stem, kernelSize: 3, stride: 1 }, builder.image);
  stages.forEach(({ blocks, filters }, stage) => {
    const inChannels = builder.shape(last)[2]!;
    const list = Array.from({ length: blocks }, (_, i): BlockSpec => ({ kind: 'preactivation', inChannels: i === 0 ? inChannels : filters, filters, stride: stage > 0 && i === 0 ? 2 : 1 }));
    last = builder.stage(`layer${stage + 1}`, list, last);
  });
  if (moe !== undefined) expectPlaces(caller, [moe.at].flat(), builder.candidates);
  const active = builder.activate('bn1', 'relu', last);
  builder.push('fc', { kind: 'linear', units: classes }, builder.push('avgpool', { kind: 'globalAveragePool' }, active));
  return { name, inputShape, classes, seed, layers: builder.layers };
}

/**
 * Describes a Wide ResNet for small images without making any weight.
 *
 * @returns What {@link wideResnet} builds.
 * @throws {@link ArgumentError} if an option breaks its rule, or a place does not exist.
 * @see {@link https://arxiv.org/abs/1605.07146 | Zagoruyko and Komodakis 2016}
 */
export function wideResnetSpec(options: WideResnetOptions): NetworkSpec {
  expectNetworkOptions('wideResnet', options, ['depth', 'widen']);
  const { depth = 28, widen = 10 } = options;
  expectInteger('wideResnet', 'widen', widen, 1);
  expectInteger('wideResnet', 'depth', depth, 10);
  expectArgument('wideResnet', 'depth', (depth - 4) % 6 === 0, 'be 6n + 4, such as 10, 16, 28, 34 or 70', depth);
  const blocks = (depth - 4) / 6;
  return preactivationSpec('wideResnet', `wrn-${depth}-${widen}`, 16, [16, 32, 64].map((planes) => ({ blocks, filters: planes * widen })), options);
}

/**
 * Describes a ResNet of preactivation blocks without making any weight.
 *
 * @returns What {@link preactResnet} builds.
 * @throws {@link ArgumentError} if an option breaks its rule, or a place does not exist.
 * @see {@link https://arxiv.org/abs/1603.05027 | He et al. 2016}
 */
export function preactResnetSpec(options: PreactResnetOptions): NetworkSpec {
  expectNetworkOptions('preactResnet', options, ['blocks', 'width']);
  const { blocks = [2, 2, 2, 2], width = 64 } = options;
  expectInteger('preactResnet', 'width', width, 1);
  expectArgument('preactResnet', 'blocks', blocks.length >= 1 && blocks.every((count) => Number.isInteger(count) && count >= 1), 'be numbers of blocks ≥ 1, one a stage', blocks);
  const depth = 2 * blocks.reduce((total, count) => total + count, 0) + 2;
  return preactivationSpec('preactResnet', `preact-resnet${depth}`, width, blocks.map((count, stage) => ({ blocks: count, filters: width * 2 ** stage })), options);
}
