import type { Bound, OperatorNorm } from '@moe/core';
import { createRng, expectInteger, expectKnownKeys } from '@moe/core';
import { UNIT } from '../internal/rounding.js';
import { type LocalDomain, type Region, localGraph, regionOf } from '../local/domain.js';
import { slopeRange } from '../local/elementwise.js';
import { intervalBoxes } from '../local/interval.js';
import type { Graph } from '../network/graph.js';
import type { NetworkNode } from '../network/nodes.js';

export interface SlopeOptions {
  readonly seed: number;
  /** Pairs to draw. @defaultValue 100 */
  readonly samples?: number;
  /** Steps of gradient ascent on the slope, from the steepest pairs drawn. @defaultValue 0 */
  readonly ascentSteps?: number;
}

/** A lower bound and the two inputs that reach it. */
export interface SlopeBound {
  readonly bound: Bound<'lower'>;
  readonly pair: readonly [Float64Array, Float64Array];
}

const CALLER = 'slopeLowerBound';
/** Pairs that the ascent starts from. */
const STARTS = 4;

const length = (x: Float64Array, norm: OperatorNorm): number => {
  if (norm === 'L2') return Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  return norm === 'L1' ? x.reduce((sum, value) => sum + Math.abs(value), 0) : x.reduce((best, value) => Math.max(best, Math.abs(value)), 0);
};

/** Gradient of {@link length}. */
function lengthSlope(x: Float64Array, norm: OperatorNorm): Float64Array {
  const whole = length(x, norm);
  if (whole === 0) return x.map(() => 0);
  if (norm === 'L2') return x.map((value) => value / whole);
  if (norm === 'L1') return x.map(Math.sign);
  const peak = x.findIndex((value) => Math.abs(value) === whole);
  return x.map((value, i) => (i === peak ? Math.sign(value) : 0));
}

/** The point nearest on the way to the centre that lies in the region. */
function within({ center, radius, norm, lower, upper }: Region, x: Float64Array): Float64Array {
  const boxed = x.map((value, i) => Math.min(upper[i]!, Math.max(lower[i]!, value)));
  const away = length(boxed.map((value, i) => value - center[i]!), norm);
  return away <= radius ? boxed : boxed.map((value, i) => center[i]! + ((value - center[i]!) * radius) / away);
}

/** Boxes of one input, as wide as rounding makes them. */
const pointBoxes = (graph: Graph, x: Float64Array) => intervalBoxes(CALLER, graph, { lower: x, upper: x });

/** `row · ∂output/∂input` at one input. */
function pullBack(graph: Graph, x: Float64Array, row: Float64Array): Float64Array {
  const boxes = pointBoxes(graph, x);
  const pending = new Map<number, Float64Array>([[graph.output, row]]);
  const add = (to: number, more: Float64Array): void => void pending.set(to, pending.get(to)?.map((value, i) => value + more[i]!) ?? more);
  for (let at = graph.output; at > 0; at--) {
    const here = pending.get(at);
    if (here === undefined) continue;
    pending.delete(at);
    const step = graph.steps[at - 1]!;
    if (step.kind === 'sum') for (const input of step.inputs) add(input, here);
    else if (step.kind === 'affine') add(step.input, step.map.applyTransposed(here));
    else add(step.input, here.map((value, i) => value * slopeRange(CALLER, step, boxes[step.input]!.lower[i]!, boxes[step.input]!.upper[i]!)[1]));
  }
  return pending.get(0) ?? x.map(() => 0);
}

/** How steep the network is between two inputs, rounded down. */
function slope(graph: Graph, norm: OperatorNorm, x: Float64Array, y: Float64Array): { value: number; change: Float64Array } {
  const [from, to] = [x, y].map((point) => pointBoxes(graph, point)[graph.output]!) as [{ lower: Float64Array; upper: Float64Array }, { lower: Float64Array; upper: Float64Array }];
  // What of the change is certain, whatever rounding did.
  const change = from.lower.map((low, o) => (to.lower[o]! > from.upper[o]! ? to.lower[o]! - from.upper[o]! : Math.min(0, to.upper[o]! - low)));
  const apart = length(y.map((value, i) => value - x[i]!), norm);
  const rounding = (change.length + x.length + 16) * 2 * UNIT;
  return { value: apart === 0 ? 0 : (length(change, norm) / apart) * (1 - rounding), change };
}

/**
 * Lower bound of the Lipschitz constant on a ball, with two inputs between which the network is that steep.
 *
 * @remarks
 * Draws pairs at all distances; then, with `ascentSteps`, moves the steepest of them along the gradient of `log ‖f(x) − f(y)‖ − log ‖x − y‖`, halving steps that do not help. Values
 * are enclosed in intervals, so that what is returned is reached beyond rounding. Never a certificate, and typed so: it tells how much an upper bound may give away.
 *
 * @param network - description with biases.
 * @param domain  - see {@link LocalDomain}; its norm is that of input and output.
 * @param options - see {@link SlopeOptions}.
 *
 * @example
 * const { bound } = slopeLowerBound(network, { center: image, radius: 0.5, norm: 'L2' }, { seed: 1, ascentSteps: 50 });
 * bound.value <= jacobianBound(network, { center: image, radius: 0.5, norm: 'L2' }).value; // true
 */
export function slopeLowerBound(network: NetworkNode, domain: LocalDomain, options: SlopeOptions): SlopeBound {
  expectKnownKeys(CALLER, options, ['seed', 'samples', 'ascentSteps']);
  const { seed, samples = 100, ascentSteps = 0 } = options;
  expectInteger(CALLER, 'samples', samples, 1);
  expectInteger(CALLER, 'ascentSteps', ascentSteps, 0);
  const region = regionOf(CALLER, domain);
  const { center, radius, norm } = region;
  const graph = localGraph(CALLER, network, region);
  const rng = createRng(seed).stream(CALLER);
  const drawn = Array.from({ length: samples }, (_, k) => {
    const draw = rng.at(k);
    const direction = (): Float64Array => {
      const step = Float64Array.from(draw.normal(center.length));
      const size = (radius * draw.uniform(1)[0]! ** (1 / center.length)) / length(step, norm);
      return step.map((value) => value * size);
    };
    const x = within(region, direction().map((value, i) => value + center[i]!));
    const reach = 10 ** (-3 * draw.uniform(1)[0]!);
    const y = within(region, direction().map((value, i) => value * reach + x[i]!));
    return { x, y, ...slope(graph, norm, x, y) };
  }).sort((a, b) => b.value - a.value);
  let best = drawn[0]!;
  for (const start of drawn.slice(0, ascentSteps > 0 ? STARTS : 0)) {
    let here = start;
    let rate = 0.3 * length(here.y.map((value, i) => value - here.x[i]!), 'L2');
    for (let step = 0; step < ascentSteps && rate > 1e-9 * radius; step++) {
      const { x, y, change } = here;
      const row = lengthSlope(change, norm).map((value) => value / Math.max(length(change, norm), Number.MIN_VALUE));
      const apart = y.map((value, i) => value - x[i]!);
      const shrink = lengthSlope(apart, norm).map((value) => value / length(apart, norm));
      const gy = pullBack(graph, y, row).map((value, i) => value - shrink[i]!);
      const gx = pullBack(graph, x, row).map((value, i) => shrink[i]! - value);
      const size = Math.hypot(length(gx, 'L2'), length(gy, 'L2'));
      if (!(size > 0)) break;
      const moved = (point: Float64Array, by: Float64Array): Float64Array => within(region, point.map((value, i) => value + (rate / size) * by[i]!));
      const [nx, ny] = [moved(x, gx), moved(y, gy)];
      const next = { x: nx, y: ny, ...slope(graph, norm, nx, ny) };
      if (next.value > here.value) [here, rate] = [next, rate * 1.5];
      else rate /= 2;
    }
    if (here.value > best.value) best = here;
  }
  const method = ascentSteps > 0 ? `slope-ascent(${samples}, ${ascentSteps})` : `sampled-slopes(${samples})`;
  return { bound: { value: best.value, status: 'lower', norm, domain: { norm, radius }, method }, pair: [best.x, best.y] };
}
