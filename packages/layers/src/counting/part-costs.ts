// Shapes: H W pixels, C channels, E experts.
import { createRng } from '@moe/core';
import type { Router } from '@moe/router';
import { dispose } from '@tensorflow/tfjs-core';
import { type WeightSpec, attentionPoolWeights, attentionWeights, batchNormWeights, blockWeights, convWeights, feedForwardWeights, gateFeatureWeights, layerNormWeights, linearWeights, outerSkipWeights, patchWeights, stageWeights, tokenWeights } from '../layers/weights.js';
import { partOutputShape } from '../spec/part-shape.js';
import { patchShape } from '../ops/image-patches.js';
import { type BlockSpec, type ConvSpec, type LayerPart, type Mixture, type RowShape, blockConvs, outerSkip } from '../spec/parts.js';
import { expertsWithWeights } from '../spec/slots.js';

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
export function partParameters(part: LayerPart, inputShape: RowShape, gateShape = inputShape): number {
  const routed = (mixture: Mixture, expert: readonly WeightSpec[], row = gateShape): number =>
    (expertsWithWeights(mixture) + (mixture.sharedExperts ?? 0)) * trainableSize(expert) + trainableSize(routerWeights(mixture.router, row));
  switch (part.kind) {
    case 'conv':
      return trainableSize(convWeights(part.conv, 'out'));
    case 'batchNorm':
      return trainableSize(batchNormWeights(inputShape.at(-1)!));
    case 'linear':
      return trainableSize(linearWeights(inputShape[0]!, part.units));
    case 'gateFeatures':
      return trainableSize(gateFeatureWeights(inputShape[2]!, part.features));
    case 'patches':
      return trainableSize(patchWeights(part.patch, inputShape[2]!, part.width));
    case 'tokens':
      return trainableSize(tokenWeights(inputShape[0]! + Number(part.classToken), inputShape[1]!, part));
    case 'layerNorm':
      return trainableSize(layerNormWeights(inputShape.at(-1)!));
    case 'attention':
      return trainableSize(attentionWeights(inputShape[1]!));
    case 'feedForward':
      return trainableSize(feedForwardWeights(inputShape[1]!, part.hidden));
    case 'attentionPool':
      return trainableSize(attentionPoolWeights(inputShape[1]!, part.hidden));
    case 'linearMoe':
      return routed(part, linearWeights(inputShape[0]!, part.units));
    case 'denseMoe':
      return routed(part, feedForwardWeights(inputShape[1]!, part.hidden), gateShape.slice(1));
    case 'convMoe':
      return routed(part, convWeights(part.conv, 'in'));
    case 'patchMoe':
      return routed(part, convWeights(part.conv, 'in'), patchShape(part, inputShape));
    case 'blockMoe':
      return routed(part, blockWeights(part.block));
    case 'stageMoe':
      return routed(part, stageWeights(part.blocks)) + trainableSize(outerSkipWeights(part));
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

/** A matrix `[C,E]` is applied once; filters `[k,k,C,E]`, one after the other, at every position where they fit without padding. */
function gateMacs(router: Router, inputShape: RowShape): number {
  let [height = 1, width = 1] = inputShape;
  const macs = routerWeights(router, inputShape).map(({ shape }) => {
    if (shape.length !== 4) return shape.length === 2 ? sizeOf(shape) : 0;
    const [k = 1] = shape;
    [height, width] = [height - k + 1, width - k + 1];
    return sizeOf(shape) * height * width;
  });
  return total(macs);
}

/** Experts that run per row. */
const running = ({ router, sharedExperts = 0 }: Mixture, topK: number | undefined): number => (topK ?? router.topK) + sharedExperts;

/** Router and experts over all tokens of an example; a soft router's slots cost as much as tokens, and mixing costs two products and the scores. */
function denseMoeMacs(part: Extract<LayerPart, { kind: 'denseMoe' }>, [tokens = 1, width = 1]: RowShape, topK: number | undefined, gateShape: RowShape): number {
  const { router, hidden, sharedExperts = 0 } = part;
  const perToken = 2 * width * hidden;
  const slots = router.options['slotsPerExpert'];
  if (typeof slots === 'number') return router.numExperts * slots * (perToken + 3 * tokens * width) + sharedExperts * tokens * perToken;
  return tokens * gateMacs(router, gateShape.slice(1)) + running(part, topK) * tokens * perToken;
}

/**
 * Multiply-adds of convolutions and matrix products for one row.
 *
 * @param topK      - replaces what the router says.
 * @param gateShape - of what the router sees.
 */
export function partMacs(part: LayerPart, inputShape: RowShape, topK?: number, gateShape = inputShape): number {
  switch (part.kind) {
    case 'conv':
      return convMacs(part.conv, inputShape);
    case 'gateFeatures':
      return 9 * inputShape[2]! * part.features * (inputShape[0]! - 2) * (inputShape[1]! - 2);
    case 'linear':
      return inputShape[0]! * part.units;
    case 'linearMoe':
      return gateMacs(part.router, gateShape) + running(part, topK) * inputShape[0]! * part.units;
    case 'denseMoe':
      return denseMoeMacs(part, inputShape, topK, gateShape);
    case 'convMoe':
      return gateMacs(part.router, gateShape) + running(part, topK) * convMacs(part.conv, inputShape);
    case 'patchMoe': {
      const patches = (inputShape[0]! / part.patch) * (inputShape[1]! / part.patch);
      return patches * gateMacs(part.router, patchShape(part, inputShape)) + running(part, topK) * convMacs(part.conv, inputShape);
    }
    case 'blockMoe':
      return gateMacs(part.router, gateShape) + running(part, topK) * blockMacs(part.block, inputShape);
    case 'stageMoe': {
      const skip = outerSkip(part);
      return gateMacs(part.router, gateShape) + running(part, topK) * stageMacs(part.blocks, inputShape) + (skip === undefined ? 0 : convMacs(skip, inputShape));
    }
    default:
      return tokenMacs(part, inputShape);
  }
}

/** Multiply-adds of the parts of a transformer without experts. */
function tokenMacs(part: LayerPart, inputShape: RowShape): number {
  const [tokens = 1, width = 1] = inputShape;
  switch (part.kind) {
    case 'patches':
      return sizeOf(partOutputShape(part, inputShape)) * part.patch ** 2 * inputShape[2]!;
    case 'attention':
      return 4 * tokens * width ** 2 + 2 * tokens ** 2 * width;
    case 'feedForward':
      return 2 * tokens * width * part.hidden;
    case 'attentionPool':
      return (2 * tokens + 2) * width ** 2 + 2 * tokens * width + 2 * width * part.hidden;
    default:
      return 0;
  }
}
