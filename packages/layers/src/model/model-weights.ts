import { type Weight, expectArgument } from '@moe/core';
import type { Variable } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { leafLayers } from './leaf-layers.js';

/**
 * The weights of a tfjs model by name, for optimisers and checkpoints.
 *
 * @remarks
 * The variables are the model's own: assigning one changes the model, and `variableGrads` accepts them. Running statistics of batch norm
 * and weights of frozen layers come as not trainable.
 *
 * @returns Weights in the order of the layers, names such as `layer1.0.conv1/kernel`; the model keeps owning the variables.
 * @throws {@link ArgumentError} if two layers have weights of one name, as in a model that holds two networks with the same layer names.
 *
 * @example
 * const { grads } = variableGrads(loss, modelWeights(model).filter((w) => w.trainable).map((w) => w.variable));
 */
export function modelWeights(model: LayersModel): readonly Weight[] {
  const weights = leafLayers(model)
    .flatMap((layer) => layer.weights)
    .map((weight) => ({ name: weight.originalName, variable: weight.read() as Variable, trainable: weight.trainable }));
  const names = weights.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  expectArgument('modelWeights', 'names', twice === undefined, 'be unique', twice, 'Give the layers different names.');
  return weights;
}
