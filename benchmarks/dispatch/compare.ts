import { jit } from '@moe/backend';
import { createRng } from '@moe/core';
import { type DispatchOptions, type RouteContext, dispatch, topKRouter } from '@moe/router';
import { type Tensor, dispose, grads, slice, split, tidy } from '@tensorflow/tfjs-core';
import type { MeasuredRow } from '../benchmark.js';
import { type Task, interleave } from '../timing.js';
import { type Subject, rowsOf } from './subjects.js';

/** Buffer of an expert, in the rows that it gets on average. */
const CAPACITY_FACTOR = 1.25;

/** By task; see {@link compareGrouped}. */
export type Limits = readonly [forward: number, forwardBackward: number];

type Layer = (rows: Tensor, weights: readonly Tensor[]) => Tensor;

/** An MoE layer with k = 1: gate, plan, dispatch, combine; with its weights, those of the gate first. */
function moeLayer(subject: Subject, numExperts: number): { weights: Tensor[]; run: (context: RouteContext, options?: DispatchOptions) => Layer } {
  const router = topKRouter({ numExperts, topK: 1, gate: subject.gate });
  const gate = Object.entries(router.init(subject.rowShape, createRng(2)));
  const experts = Array.from({ length: numExperts }, (_, expert) => subject.init(expert));
  const perExpert = experts[0]!.length;
  const run = (context: RouteContext, options?: DispatchOptions): Layer => (x, weights) => {
    const plan = router.route(Object.fromEntries(gate.map(([name], i) => [name, weights[i]!])), x, context);
    const own = (expert: number): readonly Tensor[] => weights.slice(gate.length + expert * perExpert, gate.length + (expert + 1) * perExpert);
    return dispatch(plan, x, experts.map((_, expert) => (rows) => subject.run(own(expert), rows)), options);
  };
  return { weights: [...gate.map(([, { value }]) => value), ...experts.flat()], run };
}

/** Takes one number of a gradient: those that nobody uses are not computed. */
const use = (gradient: Tensor): Tensor => slice(gradient, gradient.shape.map(() => 0), gradient.shape.map(() => 1));

function tasks(run: Layer, rows: Tensor, weights: Tensor[], upstream: Tensor): { forward: Task; forwardBackward: Task } {
  const gradient = grads((x: Tensor, ...w: Tensor[]) => run(x, w));
  return {
    forward: () => tidy(() => void run(rows, weights)),
    forwardBackward: () => tidy(() => gradient([rows, ...weights], upstream).forEach(use)),
  };
}

/** Grouped dispatch against one expert over the same rows; both with the gradients of rows and all weights. */
export async function* compareGrouped(engine: string, subject: Subject, numExperts: number, rounds: number, limits: Limits | undefined): AsyncGenerator<MeasuredRow> {
  const rows = rowsOf(subject);
  const only = subject.init(0);
  const single: Layer = (x, weights) => subject.run(weights, x);
  const upstream = tidy(() => single(rows, only));
  const layer = moeLayer(subject, numExperts);
  const both = [tasks(single, rows, only, upstream), tasks(layer.run({ training: false }), rows, layer.weights, upstream)];
  for (const [i, name] of (['forward', 'forwardBackward'] as const).entries()) {
    const [theirs, ours] = interleave(both.map((task) => task[name]), Math.ceil(rounds / (i + 1))) as [number, number];
    const limit = limits?.[i];
    yield { name: `${engine}/${subject.name}/E=${numExperts}/${i === 0 ? 'forward' : 'forward-backward'}`, ours, theirs, unit: 'ms', ...(limit !== undefined && { limit }) };
  }
  dispose([rows, upstream, ...only, ...layer.weights]);
}

/** What no dispatch can go below: the experts alone, on groups of equal size that are there already. */
export async function* compareExperts(engine: string, subject: Subject, numExperts: number, rounds: number): AsyncGenerator<MeasuredRow> {
  const rows = rowsOf(subject);
  const only = subject.init(0);
  const single: Layer = (x, weights) => subject.run(weights, x);
  const upstream = tidy(() => single(rows, only));
  const whole = tasks(single, rows, only, upstream);
  const [groups, slopes] = [split(rows, numExperts), split(upstream, numExperts)];
  const experts = groups.map((_, expert) => subject.init(expert));
  const each = groups.map((group, expert) => tasks(single, group, experts[expert]!, slopes[expert]!));
  for (const [i, name] of (['forward', 'forwardBackward'] as const).entries()) {
    const all: Task = () => each.forEach((task) => task[name]());
    const [theirs, ours] = interleave([whole[name], all], Math.ceil(rounds / (i + 1))) as [number, number];
    yield { name: `${engine}/${subject.name}/E=${numExperts}/experts-alone/${i === 0 ? 'forward' : 'forward-backward'}`, ours, theirs, unit: 'ms' };
  }
  dispose([rows, upstream, ...groups, ...slopes, ...only, ...experts.flat()]);
}

/** Dispatch at fixed capacity, without a read from the device and compiled where the engine can, against grouped dispatch. */
export async function* compareStatic(engine: string, subject: Subject, numExperts: number, rounds: number, limit: number | undefined): AsyncGenerator<MeasuredRow> {
  const rows = rowsOf(subject);
  const layer = moeLayer(subject, numExperts);
  const capacity = Math.ceil((CAPACITY_FACTOR * subject.numRows) / numExperts);
  const compiled = jit(layer.run({ training: false, onDevice: true }, { strategy: 'static', capacity }) as (x: Tensor, weights: Tensor[]) => Tensor);
  const grouped = layer.run({ training: false });
  const [ours, theirs] = interleave([() => compiled(rows, layer.weights).dispose(), () => grouped(rows, layer.weights).dispose()], rounds);
  yield { name: `${engine}/${subject.name}/E=${numExperts}/static/forward`, ours, theirs, unit: 'ms', ...(limit !== undefined && { limit }) };
  compiled.dispose();
  dispose([rows, ...layer.weights]);
}
