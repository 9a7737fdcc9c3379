import { ArgumentError, expectInteger, expectKnownKeys } from '@moe/core';
import type { LayersModel, Shape } from '@tensorflow/tfjs-layers';
import { rowShapeOf } from '../layers/weighted-layer.js';
import { leafLayers } from '../model/leaf-layers.js';
import type { LayerPart, LayerSpec, NetworkSpec } from '../spec/parts.js';
import { partMacs, partParameters, total } from './part-costs.js';

export interface CountMacsOptions {
  /** Experts that run per image. @defaultValue what each router says */
  readonly topK?: number;
}

type Counted = Pick<LayerSpec, 'name' | 'part' | 'inputShape' | 'gateShape'>;

const isSpec = (model: NetworkSpec | LayersModel): model is NetworkSpec => 'classes' in model;

/** The layers of this package in a model; others may have no weights, since nothing tells what they do with them. */
function countedLayers(model: LayersModel): readonly Counted[] {
  return leafLayers(model).flatMap((layer): readonly Counted[] => {
    if ('part' in layer && layer.part !== undefined) {
      const part = layer.part as LayerPart;
      const [inputShape, second] = (layer.inboundNodes[0]!.inputShapes as Shape[]).map(rowShapeOf);
      return [{ name: layer.name, part, inputShape: inputShape!, ...('router' in part && second !== undefined && { gateShape: second }) }];
    }
    if (layer.weights.length > 0) throw new ArgumentError(`countMacs: layer '${layer.name}' must be a layer of @moe/layers, got ${layer.getClassName()}.`);
    return [];
  });
}

/**
 * Number of trainable weights, as PyTorch counts parameters: running statistics of batch norm are none.
 *
 * @param model - a description from {@link resnetSpec}, for which no weight is made, or any tfjs model.
 *
 * @example
 * countParameters(resnetSpec({ depth: 18, stem: 'cifar', classes: 100, inputShape: [32, 32, 3], seed: 1 })); // 11220132
 */
export function countParameters(model: NetworkSpec | LayersModel): number {
  if (!isSpec(model)) return total(model.trainableWeights.map(({ shape }) => shape.reduce<number>((a, b) => a * (b ?? 1), 1)));
  return total(model.layers.map(({ part, inputShape, gateShape }) => partParameters(part, inputShape, gateShape)));
}

/**
 * Multiply-adds per image in evaluation: convolutions and matrix products of the trunk, of the gates and of the experts that run.
 *
 * @remarks
 * Gates count as they are defined (a Conv-GAP gate as a convolution at every position), also where they are computed in a cheaper way.
 *
 * @param model - a description from {@link resnetSpec}, or a model made of layers of this package.
 * @throws {@link ArgumentError} if `topK` exceeds the experts of a layer, or a layer with weights is not of this package.
 *
 * @example
 * countMacs(resnetSpec({ depth: 18, stem: 'cifar', classes: 100, inputShape: [32, 32, 3], seed: 1 })); // 555468800
 */
export function countMacs(model: NetworkSpec | LayersModel, { topK, ...rest }: CountMacsOptions = {}): number {
  expectKnownKeys('countMacs', rest, ['topK']);
  const layers: readonly Counted[] = isSpec(model) ? model.layers : countedLayers(model);
  if (topK !== undefined) {
    for (const { part } of layers) if ('router' in part) expectInteger('countMacs', 'topK', topK, 1, part.router.numExperts);
  }
  return total(layers.map(({ part, inputShape, gateShape }) => partMacs(part, inputShape, topK, gateShape)));
}
