// Shapes: N rows of one forward pass, D numbers of one example, M classes.
import '../gradients.js';
import { type Tensor, type Tensor2D, customGrad, scalar, tensor, tensor1d, tensor2d, tidy, valueAndGrad } from '@tensorflow/tfjs-core';
import { NumericsError, type Rng, expectArgument } from '@moe/core';
import { type RowLoss, argMaxExcept } from '../losses/row-loss.js';
import { differentiate } from './differentiate.js';
import { expectation } from './expectation.js';
import { type Problem, type Task, pickRows } from './problem.js';
import { runModel } from './run-model.js';

/** What the logits of some points say: losses and verdicts, in the order of `rows`, the example that each point belongs to. */
export interface Judgement {
  readonly loss: Float64Array;
  /** 1 where the prediction, the first index of the maximum, differs from the label; with a target, where it is the target. */
  readonly wrong: Uint8Array;
}

/** Whether a row of logits is taken for `aim`: it is the first of the largest. */
function isTakenFor(aim: number, logits: Float32Array, from: number, classes: number): boolean {
  const rival = argMaxExcept(logits, from, classes, aim);
  const lead = logits[from + aim]! - logits[from + rival]!;
  return lead > 0 || (lead === 0 && aim < rival);
}

/**
 * Judges logits that are on the host.
 *
 * @param logits    - row-major `[N,M]`.
 * @param direction - receives ∂loss/∂logits divided by the scale of its row, `[N,M]`.
 */
export function judge(task: Task, rowLoss: RowLoss, logits: Float32Array, rows: readonly number[], direction: Float32Array): Judgement & { readonly scale: Float64Array } {
  const { caller, labels, targets } = task;
  const classes = logits.length / rows.length;
  const bad = logits.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new NumericsError(`${caller}: logits must be finite, got ${logits[bad]} for row ${Math.floor(bad / classes)}. Check the model's weights and inputs.`);
  }
  const loss = new Float64Array(rows.length);
  const wrong = new Uint8Array(rows.length);
  const scale = new Float64Array(rows.length);
  rows.forEach((row, i) => {
    const [label, target] = [labels[row]!, targets?.[row]];
    expectArgument(caller, `labels[${row}]`, label >= 0 && label < classes, `be a class index in [0, ${classes})`, label);
    expectArgument(caller, `target of row ${row}`, target === undefined || target < classes, `be a class index in [0, ${classes})`, target);
    const value = rowLoss(logits, i * classes, classes, label, direction, row);
    loss[i] = value.loss;
    scale[i] = value.scale;
    wrong[i] = Number(target === undefined ? !isTakenFor(label, logits, i * classes, classes) : isTakenFor(target, logits, i * classes, classes));
  });
  return { loss, wrong, scale };
}

/** What one forward pass, and where asked one backward pass, said about each of its rows; means and majorities over the draws of a model's noise. */
export interface Measurement extends Judgement {
  /** Row-major `[N,M]`. */
  readonly logits: Float32Array;
  /** Direction of the input gradient, row-major `[N,D]`: each row is the true gradient divided by its scale. */
  readonly gradient: Float32Array | undefined;
  /** Factor of each row that turns direction into gradient, ≥ 0. */
  readonly scale: Float64Array;
}

/**
 * One forward pass over some rows, and one backward pass to the inputs if `withGradient`; as many of each as the noise of a model is drawn.
 *
 * @param points - row-major `[B,D]`, all rows.
 * @param rows   - the rows to run, in batch order.
 * @returns Host arrays in the order of `rows`; no tensor stays alive.
 */
export function measure(problem: Problem, rowLoss: RowLoss, points: Float32Array, rows: readonly number[], withGradient: boolean): Measurement {
  return measurePoints(problem, rowLoss, pickRows(points, rows, problem.size), rows, withGradient);
}

/**
 * As {@link measure}, for points that belong to rows in any way, several to one too.
 *
 * @param points - row-major `[N,D]`; given away, since an engine may keep the array.
 * @param rows   - the row that each point belongs to, `[N]`.
 */
export function measurePoints(problem: Problem, rowLoss: RowLoss, points: Float32Array, rows: readonly number[], withGradient: boolean): Measurement {
  return expectation(problem.nextNoise().map((noise) => measureOnce(problem, rowLoss, points, rows, withGradient, noise)));
}

function measureOnce(problem: Problem, rowLoss: RowLoss, points: Float32Array, rows: readonly number[], withGradient: boolean, noise: Rng): Measurement {
  const { caller, model, context, shape, size, compiled } = problem;
  const draw = { rng: noise, exampleIds: rows.map((row) => context.exampleIds?.[row] ?? row) };
  let logits = new Float32Array(0);
  let judgement: Judgement & { readonly scale: Float64Array } = { loss: new Float64Array(0), wrong: new Uint8Array(0), scale: new Float64Array(0) };
  /** Fills `logits` and `judgement`; returns ∂loss/∂logits divided by the scale of its row. */
  const read = (output: Tensor2D): Float32Array => {
    logits = (output.dataSync() as Float32Array).slice();
    const direction = new Float32Array(logits.length);
    judgement = judge(problem, rowLoss, logits, rows, direction);
    return direction;
  };

  let gradient: Float32Array | undefined;
  // Nothing is returned through tidy: tfjs would search a typed array for tensors, entry by entry.
  tidy(() => {
    const inputs = tensor(points, [rows.length, ...shape]);
    if (!withGradient) {
      read(compiled?.forward(inputs) ?? runModel(caller, model, inputs, draw));
      return;
    }
    if (compiled !== undefined) {
      const found = compiled.differentiated(inputs, reference(problem, rows));
      read(found.logits);
      gradient = found.gradient.dataSync() as Float32Array;
      return;
    }
    const total = (x: Tensor) => {
      const output = runModel(caller, model, x, draw);
      const direction = read(output);
      // Only the direction is used, so no row's gradient is scaled by 1 − p_y, which underflows for confident models.
      return customGrad(() => ({ value: scalar(0), gradFunc: () => tensor2d(direction, output.shape) }))(output);
    };
    const { grad } = differentiate(caller, () => valueAndGrad(total)(inputs));
    gradient = grad.dataSync() as Float32Array;
  });
  if (gradient !== undefined) expectFinite(caller, gradient, rows, size);
  return { logits, ...judgement, gradient };
}

/** What a compiled loss compares some rows with: the logits of their clean inputs, their labels, or these and the classes aimed at. */
function reference({ labels, aims, cleanLogits, rows: all }: Problem, rows: readonly number[]): Tensor {
  if (aims !== undefined) return tensor2d(rows.flatMap((row) => [labels[row]!, aims[row]!]), [rows.length, 2], 'int32');
  if (cleanLogits === undefined) return tensor1d(rows.map((row) => labels[row]!), 'int32');
  const classes = cleanLogits.length / all;
  return tensor2d(pickRows(cleanLogits, rows, classes), [rows.length, classes]);
}

function expectFinite(caller: string, gradient: Float32Array, rows: readonly number[], size: number): void {
  let probe = 0; // NaN as soon as one entry is not finite; much faster than a search
  for (let i = 0; i < gradient.length; i++) probe += gradient[i]! - gradient[i]!;
  if (probe !== 0) {
    const bad = gradient.findIndex((value) => !Number.isFinite(value));
    throw new NumericsError(`${caller}: input gradient must be finite, got ${gradient[bad]} for row ${rows[Math.floor(bad / size)]!}. Check the model for 0/0, sqrt or log at 0.`);
  }
}
