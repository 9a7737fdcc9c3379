// Shapes: H W pixels, C channels, E experts.
import { createRng } from '@moe/core';
import type { Router } from '@moe/router';
import { dispose } from '@tensorflow/tfjs-core';
import { type WeightSpec, batchNormWeights, blockWeights, convWeights, linearWeights } from '../layers/weights.js';
import { partOutputShape } from '../spec/part-shape.js';
import { type BlockSpec, type ConvSpec, type LayerPart, type RowShape, blockConvs } from '../spec/parts.js';

type WeightShape = Pick<WeightSpec, 'shape' | 'trainable'>;

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
export const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const trainableSize = (weights: readonly WeightShape[]): number => total(weights.filter(({ trainable }) => trainable).map(({ shape }) => sizeOf(shape)));

function routerWeights(router: Router, inputShape: RowShape): readonly WeightShape[] {
  const weights = Object.values(router.init(inputShape, createRng(0)));
  dispose(weights.map(({ value }) => value));
  return weights.map(({ value, trainable }) => ({ shape: value.shape, trainable }));
}

/** Numbers that an optimiser moves in one layer. */
export function partParameters(part: LayerPart, inputShape: RowShape): number {
  const routed = (router: Router, expert: readonly WeightSpec[]): number => router.numExperts * trainableSize(expert) + trainableSize(routerWeights(router, inputShape));
  switch (part.kind) {
    case 'conv':
      return trainableSize(convWeights(part.conv, 'out'));
    case 'batchNorm':
      return trainableSize(batchNormWeights(inputShape.at(-1)!));
    case 'linear':
      return trainableSize(linearWeights(inputShape[0]!, part.units));
    case 'convMoe':
      return routed(part.router, convWeights(part.conv, 'in'));
    case 'blockMoe':
      return routed(part.router, blockWeights(part.block));
    default:
      return 0;
  }
}

function convMacs(conv: ConvSpec, inputShape: RowShape): number {
  return sizeOf(partOutputShape({ kind: 'conv', conv }, inputShape)) * conv.kernelSize ** 2 * conv.inChannels;
}

function blockMacs(block: BlockSpec, inputShape: RowShape): number {
  const { conv1, conv2, downsample } = blockConvs(block);
  const inner = partOutputShape({ kind: 'conv', conv: conv1 }, inputShape);
  return convMacs(conv1, inputShape) + convMacs(conv2, inner) + (downsample === undefined ? 0 : convMacs(downsample, inputShape));
}

/** A matrix `[C,E]` is applied once; a filter `[k,k,C,E]` at every position where it fits without padding. */
function gateMacs(router: Router, inputShape: RowShape): number {
  const [height = 1, width = 1] = inputShape;
  const macs = routerWeights(router, inputShape).map(({ shape }) => {
    if (shape.length === 2) return sizeOf(shape);
    const [k = 1] = shape;
    return shape.length === 4 ? sizeOf(shape) * (height - k + 1) * (width - k + 1) : 0;
  });
  return total(macs);
}

/** Multiply-adds of convolutions and matrix products for one row; `topK` replaces what the router says. */
export function partMacs(part: LayerPart, inputShape: RowShape, topK?: number): number {
  switch (part.kind) {
    case 'conv':
      return convMacs(part.conv, inputShape);
    case 'linear':
      return inputShape[0]! * part.units;
    case 'convMoe':
      return gateMacs(part.router, inputShape) + (topK ?? part.router.topK) * convMacs(part.conv, inputShape);
    case 'blockMoe':
      return gateMacs(part.router, inputShape) + (topK ?? part.router.topK) * blockMacs(part.block, inputShape);
    default:
      return 0;
  }
}
