// Shapes: N rows of one forward pass, D numbers of one example, M classes.
import '../gradients.js';
import { type Tensor, type Tensor2D, customGrad, scalar, tensor, tensor1d, tensor2d, tidy, valueAndGrad } from '@tensorflow/tfjs-core';
import { NumericsError, expectArgument } from '@moe/core';
import { type RowLoss, argMaxExcept } from '../losses/row-loss.js';
import { differentiate } from './differentiate.js';
import type { Problem } from './problem.js';
import { runModel } from './run-model.js';

/** What one forward pass, and where asked one backward pass, said about each of its rows. */
export interface Measurement {
  /** Row-major `[N,M]`. */
  readonly logits: Float32Array;
  readonly loss: Float64Array;
  /** 1 where the prediction, the first index of the maximum, differs from the label. */
  readonly wrong: Uint8Array;
  /** Direction of the input gradient, row-major `[N,D]`: each row is the true gradient divided by a positive factor of its loss. */
  readonly gradient: Float32Array | undefined;
}

/** Values of logits, checked to be finite. */
function readLogits(caller: string, logits: Tensor2D): Float32Array {
  const values = logits.dataSync() as Float32Array;
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new NumericsError(`${caller}: logits must be finite, got ${values[bad]} for row ${Math.floor(bad / logits.shape[1])}. Check the model's weights and inputs.`);
  }
  return values;
}

/**
 * One forward pass over some rows, and one backward pass to the inputs if `withGradient`.
 *
 * @param points - row-major `[B,D]`, all rows.
 * @param rows   - the rows to run, in batch order.
 * @returns Host arrays in the order of `rows`; no tensor stays alive.
 */
export function measure(problem: Problem, rowLoss: RowLoss, points: Float32Array, rows: readonly number[], withGradient: boolean): Measurement {
  const { caller, model, labels, shape, size, compiled } = problem;
  // A copy: an engine may keep the array it is given, and the caller goes on writing to `points`.
  const upload = new Float32Array(rows.length * size);
  rows.forEach((row, i) => upload.set(points.subarray(row * size, (row + 1) * size), i * size));
  const loss = new Float64Array(rows.length);
  const wrong = new Uint8Array(rows.length);
  let logits = new Float32Array(0);

  /** Fills `loss` and `wrong`; returns ∂loss/∂logits up to a positive factor per row. */
  const judge = (output: Tensor2D): Float32Array => {
    const values = readLogits(caller, output);
    const classes = output.shape[1];
    logits = values.slice();
    const direction = new Float32Array(values.length);
    rows.forEach((row, i) => {
      const label = labels[row]!;
      expectArgument(caller, `labels[${row}]`, label >= 0 && label < classes, `be a class index in [0, ${classes})`, label);
      loss[i] = rowLoss(values, i * classes, classes, label, direction, row).loss;
      const rival = argMaxExcept(values, i * classes, classes, label);
      const lead = values[i * classes + label]! - values[i * classes + rival]!;
      wrong[i] = lead < 0 || (lead === 0 && rival < label) ? 1 : 0;
    });
    return direction;
  };

  let gradient: Float32Array | undefined;
  // Nothing is returned through tidy: tfjs would search a typed array for tensors, entry by entry.
  tidy(() => {
    const inputs = tensor(upload, [rows.length, ...shape]);
    if (!withGradient) {
      judge(compiled?.forward(inputs) ?? runModel(caller, model, inputs));
      return;
    }
    if (compiled !== undefined) {
      const found = compiled.differentiated(inputs, tensor1d(rows.map((row) => labels[row]!), 'int32'));
      judge(found.logits);
      gradient = found.gradient.dataSync() as Float32Array;
      return;
    }
    const total = (x: Tensor) => {
      const output = runModel(caller, model, x);
      const direction = judge(output);
      // Only the direction is used, so no row's gradient is scaled by 1 − p_y, which underflows for confident models.
      return customGrad(() => ({ value: scalar(0), gradFunc: () => tensor2d(direction, output.shape) }))(output);
    };
    const { grad } = differentiate(caller, () => valueAndGrad(total)(inputs));
    gradient = grad.dataSync() as Float32Array;
  });
  if (gradient !== undefined) expectFinite(caller, gradient, rows, size);
  return { logits, loss, wrong, gradient };
}

function expectFinite(caller: string, gradient: Float32Array, rows: readonly number[], size: number): void {
  let probe = 0; // NaN as soon as one entry is not finite; much faster than a search
  for (let i = 0; i < gradient.length; i++) probe += gradient[i]! - gradient[i]!;
  if (probe !== 0) {
    const bad = gradient.findIndex((value) => !Number.isFinite(value));
    throw new NumericsError(`${caller}: input gradient must be finite, got ${gradient[bad]} for row ${rows[Math.floor(bad / size)]!}. Check the model for 0/0, sqrt or log at 0.`);
  }
}
