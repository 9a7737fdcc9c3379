// Shapes: N rows, M classes.
import { type Tensor, type Tensor1D, type Tensor2D, add, argMax, cast, div, expandDims, fill, mul, oneHot, reshape, slice, softmax, sub, sum, tidy, topk, where } from '@tensorflow/tfjs-core';
import type { LossName } from './losses.js';

/**
 * ∂loss/∂logits `[N,M]` divided by the scale of the row loss of the same name, computed on the engine.
 *
 * @param reference - what the loss compares with: labels `[N]` int32, of which those outside `[0, M)` are nobody's; for `'kl'` the logits of the clean inputs, `[N,M]`; for losses that aim at a class labels and
 * those classes, `[N,2]` int32.
 */
type Direction = (logits: Tensor2D, reference: Tensor) => Tensor2D;

// The wasm engine writes integers whatever dtype oneHot is asked for, hence the cast.
const unit = (classes: Tensor, count: number): Tensor2D => cast(oneHot(classes, count), 'float32') as Tensor2D;

/** Logits of the wrong classes; minus infinity at the true one. */
const rivals = (logits: Tensor2D, truth: Tensor2D): Tensor2D => where(cast(truth, 'bool'), fill(logits.shape, -Infinity), logits);

const klDirection: Direction = (logits, clean) => tidy(() => sub(softmax(logits), softmax(clean as Tensor2D)));

const ceDirection: Direction = (logits, labels) =>
  tidy(() => {
    const truth = unit(labels, logits.shape[1]);
    return sub(softmax(rivals(logits, truth)), truth);
  });

const cwDirection: Direction = (logits, labels) =>
  tidy(() => {
    const truth = unit(labels, logits.shape[1]);
    return sub(unit(argMax(rivals(logits, truth), 1) as Tensor1D, logits.shape[1]), truth);
  });

const columnOf = (table: Tensor, column: number): Tensor1D => reshape(slice(table, [0, column], [table.shape[0]!, 1]), [table.shape[0]!]);

/** One-hot places of the largest logits, by rank from 0. */
function places(logits: Tensor2D, count: number): (rank: number) => Tensor2D {
  const { indices } = topk(logits, count);
  return (rank) => unit(columnOf(indices, rank), logits.shape[1]);
}

/** Direction of a gap over a spread, both linear in the logits: ∂(gap / spread) = (∂gap − gap / spread · ∂spread) / spread. */
function relativeTo(spread: Tensor, gap: Tensor, logits: Tensor2D): Tensor2D {
  const width = add(sum(mul(spread, logits), 1), 1e-12);
  return sub(gap, mul(expandDims(div(sum(mul(gap, logits), 1), width), 1), spread));
}

const dlrDirection: Direction = (logits, labels) =>
  tidy(() => {
    const margin = cwDirection(logits, labels);
    if (logits.shape[1] < 3) return margin;
    const place = places(logits, 3);
    return relativeTo(sub(place(0), place(2)), margin, logits);
  });

const targetedCwDirection: Direction = ({ shape: [, classes] }, reference) => tidy(() => sub(unit(columnOf(reference, 1), classes), unit(columnOf(reference, 0), classes)));

const targetedDlrDirection: Direction = (logits, reference) =>
  tidy(() => {
    const gap = targetedCwDirection(logits, reference);
    if (logits.shape[1] < 4) return gap;
    const place = places(logits, 4);
    return relativeTo(sub(place(0), div(add(place(2), place(3)), 2)), gap, logits);
  });

/** Losses that passes can be compiled for. */
export type DirectionName = LossName | 'kl' | 'targeted-cw' | 'targeted-dlr';

export const DIRECTIONS: Readonly<Record<DirectionName, Direction>> = {
  ce: ceDirection,
  cw: cwDirection,
  dlr: dlrDirection,
  kl: klDirection,
  'targeted-cw': targetedCwDirection,
  'targeted-dlr': targetedDlrDirection,
};
