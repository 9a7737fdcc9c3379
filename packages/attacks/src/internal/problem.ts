// Shapes: B batch, D numbers of one example, M classes.
import { type Tensor, type Tensor1D, tensor, tensor1d } from '@tensorflow/tfjs-core';
import {
  type AttackContext,
  type Bounds,
  type LogitsFn,
  type Perturbation,
  type Rng,
  ShapeError,
  expectArgument,
  expectInteger,
  expectShape,
} from '@moe/core';
import type { Passes, PassesOf } from './compiled-passes.js';

/** What an attack was asked, on the host, whatever the model is; nothing in it is written to. */
export interface Task {
  /** Name of the attack, first word of every message. */
  readonly caller: string;
  /** Clean inputs, row-major `[B,D]`. */
  readonly inputs: Float32Array;
  readonly labels: Int32Array;
  readonly rows: number;
  readonly size: number;
  /** Shape of one example. */
  readonly shape: readonly number[];
  readonly context: AttackContext;
  /** Class that each row is to be taken for, `[B]`; undefined where any wrong class will do. */
  readonly targets: Int32Array | undefined;
}

/** A task on a model that runs on the engine. */
export interface Problem extends Task {
  readonly model: LogitsFn;
  /** Passes over the model, if they are compiled. */
  readonly compiled: Passes | undefined;
  /** Logits of the clean inputs, row-major `[B,M]`, for a loss that compares with them. */
  readonly cleanLogits: Float32Array | undefined;
  /** Class that the loss of each row aims at, `[B]`, where any wrong class will do. */
  readonly aims: Int32Array | undefined;
  /** Streams of the next pass's noise, one for each draw; a row that still stands has seen every pass, so it has the same noise in any batch. */
  readonly nextNoise: () => readonly Rng[];
}

/**
 * Checks what was passed to `perturb` and brings it to the host.
 *
 * @throws {@link ShapeError} {@link ArgumentError} if ranks, sizes, dtypes, ids, or the range of an input is wrong.
 */
export function createProblem(caller: string, model: LogitsFn, inputs: Tensor, labels: Tensor1D, context: AttackContext, bounds: Bounds, passesOf: PassesOf = () => undefined): Problem {
  const task = readTask(caller, inputs, labels, context, bounds);
  const { draws = 1 } = context;
  const compiled = passesOf(model);
  expectInteger(caller, 'draws', draws, 1);
  expectArgument(caller, 'draws', draws === 1 || compiled === undefined, 'be 1 for compiled passes', draws, 'They have no noise: leave out compile.');
  return { ...task, model, compiled, cleanLogits: undefined, aims: undefined, nextNoise: noiseOf(caller, context.rng, draws) };
}

/** As {@link createProblem}, apart from any model. */
export function readTask(caller: string, inputs: Tensor, labels: Tensor1D, context: AttackContext, bounds: Bounds): Task {
  if (inputs.shape.length < 2) throw new ShapeError(`${caller}: inputs must have shape [B,…] of rank 2 or more, got [${inputs.shape.join(',')}].`);
  expectArgument(caller, 'inputs', inputs.dtype === 'float32', "have dtype 'float32'", inputs.dtype);
  expectShape(caller, { labels }, ['B'], { B: inputs.shape[0]! });
  expectArgument(caller, 'labels', labels.dtype === 'int32', "have dtype 'int32'", labels.dtype, 'Pass class indices, not one-hot rows.');
  return createTask(caller, inputs.dataSync() as Float32Array, inputs.shape, labels.dataSync() as Int32Array, context, bounds);
}

function noiseOf(caller: string, rng: Rng, draws: number): () => Rng[] {
  const noise = rng.stream(caller).stream('noise');
  let pass = 0;
  return () => {
    const streams = Array.from({ length: draws }, (_, draw) => noise.at(pass, draw));
    pass++;
    return streams;
  };
}

/** Checks what is on the host: `inputs` row-major of the given shape `[B,…]`, `labels` `[B]`. */
export function createTask(caller: string, inputs: Float32Array, [rows = 0, ...shape]: readonly number[], labels: Int32Array, context: AttackContext, bounds: Bounds): Task {
  expectArgument(caller, 'inputs', rows > 0, 'have at least one row', rows);
  if (context.exampleIds !== undefined) {
    const ids = context.exampleIds;
    expectArgument(caller, 'exampleIds', ids.length === rows, `have ${rows} entries, one per row`, ids.length);
    for (let row = 0; row < rows; row++) expectInteger(caller, `exampleIds[${row}]`, ids[row]!, 0);
  }
  expectWithinBounds(caller, 'inputs', inputs, bounds);
  return { caller, inputs, labels, rows, size: inputs.length / rows, shape, context, targets: undefined };
}

export function expectWithinBounds(caller: string, name: string, values: Float32Array, [low, high]: Bounds): void {
  let least = Infinity;
  let most = -Infinity;
  for (const value of values) {
    expectArgument(caller, name, !Number.isNaN(value), 'hold no NaN', value);
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const hint = 'Attack in pixel space and put normalisation inside the model, or pass the true bounds.';
  // Bounds may be more precise than float32, the values are not.
  expectArgument(caller, name, least >= Math.fround(low) && most <= Math.fround(high), `lie in bounds [${low}, ${high}]`, [least, most], name === 'inputs' ? hint : undefined);
}

/** View of one row of a row-major array. */
export const rowOf = (values: Float32Array, row: number, size: number): Float32Array => values.subarray(row * size, (row + 1) * size);

/** A copy of the given rows of a row-major array, one after the other. */
export function pickRows(values: Float32Array, rows: readonly number[], size: number): Float32Array {
  const picked = new Float32Array(rows.length * size);
  rows.forEach((row, i) => picked.set(rowOf(values, row, size), i * size));
  return picked;
}

/** Random stream of one example and restart; depends on nothing else, so not on the batch. */
export function exampleRng({ caller, context }: Task, row: number, restart: number): Rng {
  return context.rng.stream(caller).at(context.exampleIds?.[row] ?? row, restart);
}

/** What is known of each row's best point so far. */
export interface BestPoints {
  readonly points: Float32Array;
  readonly loss: Float64Array;
  /** 1 where the point is misclassified. */
  readonly wrong: Uint8Array;
}

export function toPerturbation({ rows, shape }: Task, best: BestPoints): Perturbation {
  return {
    adversarial: tensor(best.points, [rows, ...shape]),
    success: tensor1d(Int32Array.from(best.wrong), 'int32'),
    loss: tensor1d(Float32Array.from(best.loss)),
  };
}
