// Shapes: B batch, D numbers of one example.
import { type Attack, type AttackAccess, type AttackContext, type Bounds, type LogitsFn, type Perturbation, expectArgument } from '@moe/core';
import type { AttackNorm } from '../geometry/geometry.js';
import type { Goal } from '../internal/best.js';
import type { Target } from '../internal/objective.js';
import type { PerExample } from '../internal/per-example.js';
import { type BestPoints, type Task, pickRows, readTask, rowOf } from '../internal/problem.js';
import { type Tensor, type Tensor1D, dispose, tensor, tensor1d } from '@tensorflow/tfjs-core';

/** Names and options of the parts of an attack that is made of others. */
export interface CombinedOptions {
  readonly attacks: readonly { readonly name: string; readonly options: object }[];
  /** Ball, bounds, goal and target, where all parts have the same, so that an evaluation or a training can check them. */
  readonly eps?: PerExample;
  readonly norm?: AttackNorm;
  readonly bounds?: Bounds;
  readonly goal?: Goal;
  readonly target?: Target;
}

const SHARED = ['eps', 'norm', 'bounds', 'goal', 'target'] as const;
const ACCESS: readonly AttackAccess[] = ['decision', 'score', 'gradient'];

/** What is recorded of the parts; the first of them has every shared option that all have. */
export function combinedOptions(attacks: readonly Attack[]): CombinedOptions {
  const [first = {}, ...rest] = attacks.map(({ options }) => options as Record<string, unknown>);
  const alike = SHARED.filter((key) => first[key] !== undefined && rest.every((other) => JSON.stringify(other[key]) === JSON.stringify(first[key])));
  return { ...Object.fromEntries(alike.map((key) => [key, first[key]])), attacks: attacks.map(({ name, options }) => Object.freeze({ name, options })) };
}

export const widestAccess = (attacks: readonly Attack[]): AttackAccess => ACCESS[Math.max(...attacks.map(({ access }) => ACCESS.indexOf(access)))]!;

export function expectDistinct(caller: string, attacks: readonly Attack[]): void {
  expectArgument(caller, 'attacks', attacks.length >= 1, 'hold at least one attack', attacks.length);
  const names = attacks.map((attack) => attack.name);
  const twice = names.find((other, i) => names.indexOf(other) !== i);
  expectArgument(caller, 'attacks', twice === undefined, 'have distinct names', twice, 'Give one of them a label.');
}

/** The outcome of each row so far: at first the clean input, not fooled. */
export type Outcome = Task & BestPoints;

/** Checks the batch as every attack does; its bounds are left to the parts where they have none in common. */
export function createOutcome(caller: string, inputs: Tensor, labels: Tensor1D, context: AttackContext, bounds: Bounds = [-Infinity, Infinity]): Outcome {
  const task = readTask(caller, inputs, labels, context, bounds);
  return { ...task, points: task.inputs.slice(), wrong: new Uint8Array(task.rows), loss: new Float64Array(task.rows) };
}

export const everyRow = ({ rows }: Outcome): number[] => Array.from({ length: rows }, (_, row) => row);

/** Attacks some rows and hands each one's point, success and loss to `take`; frees all tensors, also when it throws. */
export function attackRows(
  { inputs: clean, labels, size, shape }: Outcome,
  attack: Attack,
  model: LogitsFn,
  rows: readonly number[],
  context: AttackContext,
  take: (row: number, point: Float32Array, success: number, loss: number) => void,
): void {
  const [inputs, truth] = [tensor(pickRows(clean, rows, size), [rows.length, ...shape]), tensor1d(rows.map((row) => labels[row]!), 'int32')];
  let found: Perturbation | undefined;
  try {
    found = attack.perturb(model, inputs, truth, { ...context, exampleIds: rows.map((row) => context.exampleIds?.[row] ?? row) });
    const [points, success, loss] = [found.adversarial.dataSync() as Float32Array, found.success.dataSync(), found.loss.dataSync()];
    rows.forEach((row, i) => take(row, rowOf(points, i, size), success[i]!, loss[i]!));
  } finally {
    dispose([inputs, truth, ...(found === undefined ? [] : [found.adversarial, found.success, found.loss])]);
  }
}

/** Takes a row's outcome over, whatever it was before. */
export function put(outcome: Outcome, row: number, point: Float32Array, success: number, loss: number): void {
  rowOf(outcome.points, row, outcome.size).set(point);
  outcome.wrong[row] = success;
  outcome.loss[row] = loss;
}
