import { type Tensor, type Tensor2D, scalar, tidy } from '@tensorflow/tfjs-core';
import { type ForwardOptions, type MoeModel, expectArgument } from '@moe/core';

/**
 * A model without MoE layers, from a function.
 *
 * @param logits - inputs `[B, …]` → logits `[B,M]`, not softmaxed. A model with batch norm must obey `training` and `updateStatistics`
 * of its second argument; others ignore it.
 * @returns A {@link MoeModel} with no MoE layers and a balance loss of 0.
 *
 * @example
 * const model = plainModel((x) => add(matMul(x, w), b));
 */
export function plainModel(logits: (inputs: Tensor, options: ForwardOptions) => Tensor2D): MoeModel {
  expectArgument('plainModel', 'logits', typeof logits === 'function', 'be a function', logits);
  return {
    moeLayers: [],
    forward: (inputs, options = {}) => tidy(() => ({ logits: logits(inputs, options), routing: [], auxLoss: scalar(0) })),
  };
}
