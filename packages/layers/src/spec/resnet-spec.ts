// Shapes: H W pixels, C channels.
import { expectArgument, expectInteger, expectOneOf } from '@moe/core';
import { NetworkBuilder } from './network-builder.js';
import { type NetworkOptions, expectNetworkOptions } from './network-options.js';
import type { BlockSpec, NetworkSpec } from './parts.js';
import { expectPlaces } from './places.js';

export interface ResnetOptions extends NetworkOptions {
  /** Number of weighted layers. 10, 18 and 34 are made of BasicBlocks, 1,1,1,1, 2,2,2,2 and 3,4,6,3 in a stage; 50 of 3,4,6,3 bottlenecks. */
  readonly depth: 10 | 18 | 34 | 50;
  /** Channels of the stem, and of the first stage (a quarter of them in bottlenecks); later stages have 2, 4 and 8 times as many. @defaultValue 64 */
  readonly width?: number;
  /** Factor of the channels inside bottlenecks: 2 with depth 50 is Wide-ResNet-50-2. @defaultValue 1 */
  readonly widen?: number;
  /** `'cifar'`: one 3x3 convolution; `'imagenet'`: 7x7 with stride 2 and max pooling. */
  readonly stem: 'cifar' | 'imagenet';
}

const BLOCKS = { 10: [1, 1, 1, 1], 18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3] } as const;

/**
 * Describes a ResNet without making any weight: every layer with its shapes, in execution order.
 *
 * @returns What {@link resnet} builds, and what {@link countParameters} and {@link countMacs} take.
 * @throws {@link ArgumentError} if an option breaks its rule, or a place does not exist.
 * @see {@link https://arxiv.org/abs/1512.03385 | He et al. 2016}; {@link https://arxiv.org/abs/2509.05086 | Robust Experts}, placement of MoE layers.
 */
export function resnetSpec(options: ResnetOptions): NetworkSpec {
  expectNetworkOptions('resnet', options, ['depth', 'width', 'widen', 'stem']);
  const { depth, width = 64, widen = 1, stem, classes, inputShape, moe, seed } = options;
  expectOneOf('resnet', 'depth', depth, [10, 18, 34, 50]);
  expectInteger('resnet', 'width', width, 1);
  expectOneOf('resnet', 'stem', stem, ['cifar', 'imagenet']);
  expectInteger('resnet', 'widen', widen, 1);
  expectArgument('resnet', 'widen', widen === 1 || depth === 50, 'be 1 for a network of BasicBlocks', widen, 'Use width, or wideResnet.');

  const builder = new NetworkBuilder(inputShape, options);
  const first = builder.conv('conv1', { inChannels: inputShape[2]!, filters: width, kernelSize: stem === 'cifar' ? 3 : 7, stride: stem === 'cifar' ? 1 : 2 }, builder.image);
  const active = builder.activate('bn1', 'relu', first);
  let last = stem === 'cifar' ? active : builder.maxPool(active);
  BLOCKS[depth].forEach((count, stage) => {
    const planes = width * 2 ** stage;
    const shared = depth === 50 ? { kind: 'bottleneck' as const, filters: 4 * planes, inner: planes * widen } : { filters: planes };
    const inChannels = builder.shape(last)[2]!;
    const blocks = Array.from({ length: count }, (_, i): BlockSpec => ({ ...shared, inChannels: i === 0 ? inChannels : shared.filters, stride: stage > 0 && i === 0 ? 2 : 1 }));
    last = builder.stage(`layer${stage + 1}`, blocks, last);
  });
  if (moe !== undefined) expectPlaces('resnet', [moe.at].flat(), builder.candidates);
  builder.push('fc', { kind: 'linear', units: classes }, builder.push('avgpool', { kind: 'globalAveragePool' }, last));
  return { name: `resnet${depth}`, inputShape, classes, seed, layers: builder.layers };
}
