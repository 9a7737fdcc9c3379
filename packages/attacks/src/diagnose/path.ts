// Shapes: N rows of one pass, M classes.
import '../gradients.js';
import { type Tensor, clone, customGrad } from '@tensorflow/tfjs-core';
import type { LogitsFn } from '@moe/core';
import { rowOf } from '../internal/problem.js';
import { cwRow } from '../losses/cw-loss.js';

/** One forward pass that an attack made. */
export interface PathPoint {
  /** Largest margin `max_{j≠y} z_j − z_y` of its rows. */
  readonly loss: number;
  /** Whether a row is adversarial: within the ball, with a positive margin. */
  readonly adversarial: boolean;
  /** Share of the coordinates of the input gradient that are exactly zero; undefined if none was asked for. */
  readonly zeroShare: number | undefined;
}

/**
 * A model that writes down what is asked of it about one example, and answers as before.
 *
 * @param within - whether a point lies in the ball; some attacks walk outside.
 */
export function recordPath(model: LogitsFn, label: number, within: (point: Float32Array) => boolean): { readonly model: LogitsFn; readonly path: readonly PathPoint[] } {
  const path: { -readonly [Key in keyof PathPoint]: PathPoint[Key] }[] = [];
  return {
    path,
    model: (x) => {
      const point: (typeof path)[number] = { loss: -Infinity, adversarial: false, zeroShare: undefined };
      path.push(point);
      const watched = customGrad((input) => ({
        value: clone(input as Tensor),
        gradFunc: (dy) => {
          const gradient = (dy as Tensor).dataSync();
          point.zeroShare = gradient.filter((value) => value === 0).length / gradient.length;
          return clone(dy as Tensor);
        },
      }))(x);
      const logits = model(watched);
      const values = logits.dataSync() as Float32Array;
      const [rows = 0, classes = 0] = logits.shape;
      const points = x.dataSync() as Float32Array;
      for (let row = 0; row < rows; row++) {
        const { loss } = cwRow(values, row * classes, classes, label, new Float32Array(values.length), row);
        point.loss = Math.max(point.loss, loss);
        point.adversarial ||= loss > 0 && within(rowOf(points, row, points.length / rows));
      }
      return logits;
    },
  };
}

const LAST = 10;
const MOVES = 0.05;

/**
 * Whether the best loss still rose by over 5 % of the whole way in the last ten passes.
 *
 * @see Pintor et al. 2022, Sec. 3, incomplete optimization; thresholds of the released code.
 */
export function isIncomplete(path: readonly PathPoint[]): boolean {
  const losses = path.map(({ loss }) => loss);
  const [least, most] = [Math.min(...losses), Math.max(...losses)];
  const late = losses.slice(-LAST);
  const before = Math.max(...losses.slice(0, losses.length - late.length + 1));
  return most > least && (Math.max(before, ...late) - before) / (most - least) > MOVES;
}
