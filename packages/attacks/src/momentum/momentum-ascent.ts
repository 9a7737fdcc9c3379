// Shapes: B batch, D numbers of one example.
import { type Bounds, throwIfAborted } from '@moe/core';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { type Goal, createBest, keepBest } from '../internal/best.js';
import { compactRows } from '../internal/compact.js';
import { imageOf } from '../internal/image.js';
import { measure } from '../internal/measure.js';
import { type AttackLoss, type Target, objectiveOf } from '../internal/objective.js';
import { type PerExample, ballsOf, rowsOf } from '../internal/per-example.js';
import { type BestPoints, type Problem, exampleRng, rowOf } from '../internal/problem.js';
import { type Shrink, drawShrink, shrink, unshrink } from './input-diversity.js';
import { gaussianKernel, smooth } from './smooth.js';

export interface MomentumOptions {
  readonly eps: PerExample;
  readonly bounds: Bounds;
  readonly norm: AttackNorm;
  readonly loss: AttackLoss;
  readonly target: Target;
  readonly steps: number;
  readonly stepSize: PerExample;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly diversity: number;
  readonly translation: number;
  readonly goal: Goal;
}

/** Gradient ascent along the decaying sum of all gradients so far, from the clean input. */
export function ascendWithMomentum(asked: Problem, options: MomentumOptions): BestPoints {
  const { norm, steps, momentum, nesterov, diversity, translation, goal } = options;
  const { problem, rowLoss } = objectiveOf(asked, options.loss, options.target);
  const { inputs, rows, size, context, caller } = problem;
  const { project, ascend } = GEOMETRIES[norm];
  const balls = ballsOf(problem, options.eps, options.bounds);
  const stepSizes = rowsOf(problem, 'stepSize', options.stepSize);
  const image = diversity > 0 || translation > 1 ? imageOf(problem) : undefined;
  const kernel = gaussianKernel(translation);
  const best = createBest(problem);
  const active = (row: number): boolean => goal !== 'misclassify' || best.wrong[row] === 0;
  // Where the gradient is taken elsewhere, only the last point is judged, and before it the clean input.
  const elsewhere = nesterov || diversity > 0;

  const points = inputs.slice();
  const velocities = new Float32Array(inputs.length);
  const probes = elsewhere ? inputs.slice() : points;
  const ahead = new Float32Array(size);
  const shrinks = new Map<number, Shrink | undefined>();
  let batch: readonly number[] = Array.from({ length: rows }, (_, row) => row);
  if (elsewhere && goal === 'misclassify') keepBest(problem, best, inputs, batch, measure(problem, rowLoss, inputs, batch, false), goal);

  for (let t = 0; t <= steps; t++) {
    batch = compactRows(batch, active);
    if (batch.length === 0) break;
    throwIfAborted(caller, context.signal);
    const last = t === steps;
    if (elsewhere && !last) {
      for (const row of batch) {
        const [point, velocity, probe] = [points, velocities, probes].map((values) => rowOf(values, row, size)) as [Float32Array, Float32Array, Float32Array];
        const reach = nesterov ? stepSizes[row]! * momentum : 0;
        for (let k = 0; k < size; k++) ahead[k] = point[k]! + reach * velocity[k]!;
        const by = image === undefined || diversity === 0 ? undefined : drawShrink(image, diversity, exampleRng(problem, row, 0).at(t));
        shrinks.set(row, by);
        if (by === undefined) probe.set(ahead);
        else shrink(by, ahead, probe);
      }
    }
    const measured = measure(problem, rowLoss, last ? points : probes, batch, !last);
    const judged = last || !elsewhere;
    const meanLoss = judged ? keepBest(problem, best, points, batch, measured, goal) : meanOf(measured.loss.filter((_, i) => active(batch[i]!)));
    context.onStep?.({ step: t, steps: steps + 1, meanLoss });
    if (last) break;
    batch.forEach((row, i) => {
      if (!active(row)) return;
      const [point, velocity] = [rowOf(points, row, size), rowOf(velocities, row, size)];
      const gradient = rowOf(measured.gradient!, i, size);
      const by = shrinks.get(row);
      if (by !== undefined) unshrink(by, gradient.slice(), gradient);
      if (image !== undefined && translation > 1) smooth(image, kernel, gradient);
      gather(velocity, gradient, momentum);
      ascend(point, velocity, stepSizes[row]!, point, options.bounds);
      project(point, rowOf(inputs, row, size), balls[row]!, point);
    });
  }
  return best;
}

const meanOf = (losses: Float64Array): number => losses.reduce((total, loss) => total + loss, 0) / losses.length;

/** `velocity ← momentum · velocity + gradient / mean |gradient|`; a gradient of zero adds nothing. */
function gather(velocity: Float32Array, gradient: Float32Array, momentum: number): void {
  const mean = gradient.reduce((total, slope) => total + Math.abs(slope), 0) / gradient.length;
  const scale = mean === 0 ? 0 : 1 / mean;
  for (let k = 0; k < velocity.length; k++) velocity[k] = momentum * velocity[k]! + scale * gradient[k]!;
}
