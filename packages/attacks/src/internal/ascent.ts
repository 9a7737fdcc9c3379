// Shapes: B batch, D numbers of one example.
import { throwIfAborted } from '@moe/core';
import type { Ball, StartKind } from '../geometry/ball.js';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { type LossName, LOSSES } from '../losses/losses.js';
import { type Goal, createBest, keepBest } from './best.js';
import { compactRows } from './compact.js';
import { measure } from './measure.js';
import { type BestPoints, type Problem, exampleRng, rowOf } from './problem.js';

export interface AscentOptions extends Ball {
  readonly norm: AttackNorm;
  readonly loss: LossName;
  readonly steps: number;
  readonly stepSize: number;
  readonly start: StartKind | 'none';
  readonly restarts: number;
  readonly goal: Goal;
}

/** Projected gradient ascent from one start after another; the heart of FGSM and PGD. */
export function ascend(problem: Problem, options: AscentOptions): BestPoints {
  const { inputs, rows, size, context } = problem;
  const { norm, steps, goal } = options;
  const { project, randomStart, ascend: step } = GEOMETRIES[norm];
  const rowLoss = LOSSES[options.loss];
  const best = createBest(problem);
  const active = (row: number): boolean => goal === 'maxLoss' || best.wrong[row] === 0;
  let all: readonly number[] = Array.from({ length: rows }, (_, row) => row);

  if (goal === 'misclassify' && options.start !== 'none') {
    keepBest(problem, best, inputs, all, measure(problem, rowLoss, inputs, all, false), goal);
  }
  const points = inputs.slice();
  for (let restart = 0; restart < options.restarts; restart++) {
    all = compactRows(all, active);
    if (all.length === 0) break;
    for (const row of all) {
      const point = rowOf(points, row, size);
      if (options.start === 'none') point.set(rowOf(inputs, row, size));
      else randomStart(rowOf(inputs, row, size), options, options.start, exampleRng(problem, row, restart), point);
    }
    let batch = all;
    for (let t = 0; t <= steps; t++) {
      throwIfAborted(problem.caller, context.signal);
      const last = t === steps;
      const measured = measure(problem, rowLoss, points, batch, !last);
      const meanLoss = keepBest(problem, best, points, batch, measured, goal);
      context.onStep?.({ step: restart * (steps + 1) + t, steps: options.restarts * (steps + 1), meanLoss });
      if (last) break;
      batch.forEach((row, i) => {
        if (!active(row)) return;
        const point = rowOf(points, row, size);
        step(point, rowOf(measured.gradient!, i, size), options.stepSize, point, options.bounds);
        project(point, rowOf(inputs, row, size), options, point);
      });
      batch = compactRows(batch, active);
      if (batch.length === 0) break;
    }
  }
  return best;
}
