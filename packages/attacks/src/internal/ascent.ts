// Shapes: B batch, D numbers of one example.
import { type Bounds, throwIfAborted } from '@moe/core';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { type Goal, createBest, keepBest } from './best.js';
import { compactRows } from './compact.js';
import { measure } from './measure.js';
import { type AttackLoss, type Target, objectiveOf } from './objective.js';
import { type PerExample, ballsOf, rowsOf } from './per-example.js';
import { type BestPoints, type Problem, exampleRng, rowOf } from './problem.js';
import { type Start, startPoint } from './start.js';
import { type StepDecay, type StepDirection, decayed, stepAlong } from './step-rule.js';

export interface AscentOptions {
  readonly eps: PerExample;
  readonly bounds: Bounds;
  readonly norm: AttackNorm;
  readonly loss: AttackLoss;
  readonly target: Target;
  readonly steps: number;
  readonly stepSize: PerExample;
  readonly decay: StepDecay;
  readonly direction: StepDirection;
  readonly start: Start;
  readonly startSize: PerExample;
  readonly restarts: number;
  readonly goal: Goal;
}

/** Projected gradient ascent from one start after another; the heart of FGSM, PGD and random noise. */
export function ascend(asked: Problem, options: AscentOptions): BestPoints {
  const { norm, steps, goal, start, decay } = options;
  const { problem, rowLoss } = objectiveOf(asked, options.loss, options.target);
  const { inputs, rows, size, context, caller } = problem;
  const balls = ballsOf(problem, options.eps, options.bounds);
  const [stepSizes, startSizes] = [rowsOf(problem, 'stepSize', options.stepSize), rowsOf(problem, 'startSize', options.startSize)];
  const step = stepAlong(norm, options.direction);
  const best = createBest(problem);
  const active = (row: number): boolean => goal !== 'misclassify' || best.wrong[row] === 0;
  let all: readonly number[] = Array.from({ length: rows }, (_, row) => row);

  if (goal === 'misclassify' && start !== 'none') keepBest(problem, best, inputs, all, measure(problem, rowLoss, inputs, all, false), goal);
  const points = inputs.slice();
  for (let restart = 0; restart < options.restarts; restart++) {
    all = compactRows(all, active);
    if (all.length === 0) break;
    for (const row of all) {
      startPoint(GEOMETRIES[norm], start, startSizes[row]!, rowOf(inputs, row, size), balls[row]!, exampleRng(problem, row, restart), rowOf(points, row, size));
    }
    let batch = all;
    for (let t = 0; t <= steps; t++) {
      throwIfAborted(caller, context.signal);
      const last = t === steps;
      const measured = measure(problem, rowLoss, points, batch, !last);
      const meanLoss = keepBest(problem, best, points, batch, measured, goal);
      context.onStep?.({ step: restart * (steps + 1) + t, steps: options.restarts * (steps + 1), meanLoss });
      if (last) break;
      const share = decayed(decay, t, steps);
      batch.forEach((row, i) => {
        if (!active(row)) return;
        const point = rowOf(points, row, size);
        step(point, rowOf(measured.gradient!, i, size), share * stepSizes[row]!, measured.scale[i]!, point, options.bounds);
        GEOMETRIES[norm].project(point, rowOf(inputs, row, size), balls[row]!, point);
      });
      batch = compactRows(batch, active);
      if (batch.length === 0) break;
    }
  }
  return best;
}
