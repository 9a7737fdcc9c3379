// Shapes: B batch, M classes.
import '../gradients.js';
import { type Tensor1D, type Tensor2D, customGrad, expandDims, mul, tensor1d, tensor2d } from '@tensorflow/tfjs-core';
import { expectArgument, expectLabels, expectShape } from '@moe/core';

/** A loss of one example, as `scale · direction` so that its gradient cannot underflow where only the direction matters. */
interface RowValue {
  readonly loss: number;
  /** Factor that turns the direction into the gradient. */
  readonly scale: number;
}

/**
 * Value and gradient direction of a loss at one row of logits.
 *
 * @param logits    - row-major `[B,M]`.
 * @param from      - index of the row's first logit.
 * @param classes   - M.
 * @param label     - true class.
 * @param direction - receives ∂loss/∂logits divided by the returned scale, at the same place as the row.
 * @param row       - number of the row in the batch that is attacked, for losses with a target of its own.
 */
export type RowLoss = (logits: Float32Array, from: number, classes: number, label: number, direction: Float32Array, row: number) => RowValue;

/** Index of the largest logit of a row other than `except`; the first of equals. */
export function argMaxExcept(logits: Float32Array, from: number, classes: number, except: number): number {
  let best = except === 0 ? 1 : 0;
  for (let j = best + 1; j < classes; j++) if (j !== except && logits[from + j]! > logits[from + best]!) best = j;
  return best;
}

/** Runs a row loss on tensors; differentiable once, with no comparison on the tape. */
export function perExample(caller: string, rowLoss: RowLoss, logits: Tensor2D, labels: Tensor1D): Tensor1D {
  const { B, M } = expectShape(caller, { logits }, ['B', 'M']);
  expectArgument(caller, 'logits', M >= 2, 'have at least 2 classes', M);
  expectShape(caller, { labels }, ['B'], { B });
  expectLabels(caller, labels, M);
  const classes = labels.dataSync();
  return customGrad((input) => {
    const values = (input as Tensor2D).dataSync() as Float32Array;
    const losses = new Float32Array(B);
    const gradient = new Float32Array(B * M);
    for (let row = 0; row < B; row++) {
      const { loss, scale } = rowLoss(values, row * M, M, classes[row]!, gradient, row);
      losses[row] = loss;
      for (let j = row * M; j < (row + 1) * M; j++) gradient[j]! *= scale;
    }
    return { value: tensor1d(losses), gradFunc: (dy) => mul(expandDims(dy as Tensor1D, 1), tensor2d(gradient, [B, M])) };
  })(logits) as Tensor1D;
}
