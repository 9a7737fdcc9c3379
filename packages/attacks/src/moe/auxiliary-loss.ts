// Shapes: B batch, N rows of one pass, D numbers of one example.
import { type Attack, type LogitsFn, type MoeModel, expectNumber } from '@moe/core';
import { type Tensor2D, add, mul, pad2d, reshape, slice, stack, sum } from '@tensorflow/tfjs-core';
import { measure } from '../internal/measure.js';
import { freeze } from '../internal/options.js';
import type { RowLoss } from '../losses/row-loss.js';
import { climb } from './climb.js';
import { type RoutingAttackOptions, routingOptions } from './options.js';
import { routingAttack } from './routing-attack.js';

export interface AuxiliaryLossOptions extends RoutingAttackOptions {
  /** Factor of the auxiliary loss beside the loss of the label. @defaultValue 1, as released with V-MoE */
  readonly weight?: number;
}

/** Auxiliary loss of every example as if it were the first of two logits, `[N,2]`. */
const auxiliaryFn =
  (moe: MoeModel): LogitsFn =>
  (inputs, draw) => {
    const [rows = 0, ...shape] = inputs.shape;
    const losses = Array.from({ length: rows }, (_, row) => {
      const alone = slice(inputs, [row, ...shape.map(() => 0)], [1, ...shape]);
      const { auxLoss } = moe.forward(alone, { ...(draw && { rng: draw.rng.at(draw.exampleIds[row]!) }) });
      // Has a gradient, of zero, where no layer has a loss.
      return add(auxLoss, mul(sum(alone), 0));
    });
    return pad2d(reshape(stack(losses), [rows, 1]) as Tensor2D, [[0, 0], [0, 1]]);
  };

const itself: RowLoss = (values, at, width, _label, direction) => {
  direction.fill(0, at, at + width);
  direction[at] = 1;
  return { loss: values[at]!, scale: 1 };
};

/**
 * Attacks the auxiliary loss beside the loss of the label: upsets the balance of the experts while it looks for a wrong class.
 *
 * @remarks
 * Climbs `ℓ(x, y) + weight · aux(x)`, aux the sum of the layers' balance losses with the weights that they have in training. Balance losses are those of a batch; here each example is a batch of its
 * own, so that its result does not depend on its company, which for a layer that routes whole images is a loss on the shape of one row of gates. The model itself judges every point. What it
 * fools beyond an attack on the label alone came through routing; Puigcerver et al. attack it as an option.
 *
 * A step costs two forward passes and one backward pass over the batch, and one of each over every example alone.
 *
 * @returns A frozen attack on models that bring `moe`, such as `logitsFn(moeModel(network))`.
 * @throws {@link ArgumentError} if an option is unknown or out of range; `perturb` throws if the model brings no MoE model.
 * @see {@link https://arxiv.org/abs/2210.10253 | Puigcerver et al. 2022}, released code.
 *
 * @example
 * const attack = auxiliaryLoss({ eps: 8 / 255 });
 */
export function auxiliaryLoss(options: AuxiliaryLossOptions): Attack<Required<AuxiliaryLossOptions>> {
  const shared = routingOptions('auxiliaryLoss', options, ['weight']);
  const { weight = 1 } = options;
  expectNumber('auxiliaryLoss', 'weight', weight, 0);
  const filled = freeze({ ...shared, weight });
  return routingAttack('auxiliaryLoss', filled, ({ moe, problem, rowLoss, best, all }) => {
    const { size } = problem;
    const alone = { ...problem, model: auxiliaryFn(moe), labels: new Int32Array(problem.rows) };
    climb(problem, filled, rowLoss, best, problem.inputs.slice(), all, { run: 0, runs: 1 }, (points, batch) => {
      const { gradient, scale } = measure(problem, rowLoss, points, batch, true);
      const balance = measure(alone, itself, points, batch, true).gradient!;
      const directions = gradient!.map((slope, k) => scale[Math.floor(k / size)]! * slope);
      for (let k = 0; k < directions.length; k++) directions[k]! += weight * balance[k]!;
      return directions;
    });
  });
}
