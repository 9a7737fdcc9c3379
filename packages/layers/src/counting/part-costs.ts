// Shapes: H W pixels, C channels, E experts.
import { createRng } from '@moe/core';
import type { Router } from '@moe/router';
import { dispose } from '@tensorflow/tfjs-core';
import { type WeightSpec, batchNormWeights, blockWeights, convWeights, linearWeights, outerSkipWeights, stageWeights } from '../layers/weights.js';
import { partOutputShape } from '../spec/part-shape.js';
import { type BlockSpec, type ConvSpec, type LayerPart, type RowShape, blockConvs, outerSkip } from '../spec/parts.js';

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
    case 'stageMoe':
      return routed(part.router, stageWeights(part.blocks)) + trainableSize(outerSkipWeights(part));
    default:
      return 0;
  }
}

function convMacs(conv: ConvSpec, inputShape: RowShape): number {
  return sizeOf(partOutputShape({ kind: 'conv', conv }, inputShape)) * conv.kernelSize ** 2 * conv.inChannels;
}

function blockMacs(block: BlockSpec, inputShape: RowShape): number {
  const { branch, downsample } = blockConvs(block);
  let shape = inputShape;
  const macs = branch.map(({ conv }) => {
    const cost = convMacs(conv, shape);
    shape = partOutputShape({ kind: 'conv', conv }, shape);
    return cost;
  });
  return total(macs) + (downsample === undefined ? 0 : convMacs(downsample, inputShape));
}

function stageMacs(blocks: readonly BlockSpec[], inputShape: RowShape): number {
  let shape = inputShape;
  return total(
    blocks.map((block) => {
      const cost = blockMacs(block, shape);
      shape = partOutputShape({ kind: 'blockMoe', block }, shape);
      return cost;
    }),
  );
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
    case 'stageMoe': {
      const skip = outerSkip(part);
      return gateMacs(part.router, inputShape) + (topK ?? part.router.topK) * stageMacs(part.blocks, inputShape) + (skip === undefined ? 0 : convMacs(skip, inputShape));
    }
    default:
      return 0;
  }
}
