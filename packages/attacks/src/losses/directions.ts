// Shapes: N rows, M classes.
import { type Tensor1D, type Tensor2D, add, argMax, cast, div, expandDims, fill, mul, oneHot, reshape, slice, softmax, sub, sum, tidy, topk, where } from '@tensorflow/tfjs-core';
import type { LossName } from './losses.js';

/** ∂loss/∂logits `[N,M]` divided by the scale of the row loss of the same name, computed on the engine; labels outside `[0, M)` are nobody's. */
export type Direction = (logits: Tensor2D, labels: Tensor1D) => Tensor2D;

// The wasm engine writes integers whatever dtype oneHot is asked for, hence the cast.
const unit = (classes: Tensor1D, count: number): Tensor2D => cast(oneHot(classes, count), 'float32') as Tensor2D;

/** Logits of the wrong classes; minus infinity at the true one. */
const rivals = (logits: Tensor2D, truth: Tensor2D): Tensor2D => where(cast(truth, 'bool'), fill(logits.shape, -Infinity), logits);

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

const dlrDirection: Direction = (logits, labels) =>
  tidy(() => {
    const [rows, classes] = logits.shape;
    const margin = cwDirection(logits, labels);
    if (classes < 3) return margin;
    const { indices } = topk(logits, 3);
    const place = (rank: number): Tensor2D => unit(reshape(slice(indices, [0, rank], [rows, 1]), [rows]) as Tensor1D, classes);
    const widest = sub(place(0), place(2));
    const spread = add(sum(mul(widest, logits), 1), 1e-12);
    // ∂(gap / spread) = (∂gap − gap / spread · ∂spread) / spread
    return sub(margin, mul(expandDims(div(sum(mul(margin, logits), 1), spread), 1), widest));
  });

export const DIRECTIONS: Readonly<Record<LossName, Direction>> = { ce: ceDirection, cw: cwDirection, dlr: dlrDirection };
