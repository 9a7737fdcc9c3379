import type { Bounds, Rng } from '@moe/core';
import { type Ball, type StartKind, expectSameLength } from './ball.js';

const TINY = 1e-12;
/** Share of the coordinates that a step of PGD moves: those beyond the 99th percentile (Tramèr & Boneh 2019, released code). */
const SHARE = 0.01;
// Newton's method ends after a handful of steps; halvings alone would need as many as a float64 has bits.
const MAX_STEPS = 100;
/** Longest difference accepted after rounding to float32; half the slack that attacks promise. */
const longest = (eps: number): number => eps * (1 + 5e-7) + 5e-8;

/** Sum of absolute differences of two examples. */
export function distanceL1(a: Float32Array, b: Float32Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += Math.abs(a[i]! - b[i]!);
  return total;
}

/** Sizes of the changes of one example, and the room on their side; as long as the longest example so far. */
let work = { sizes: new Float64Array(0), rooms: new Float64Array(0) };

/** By how much every coordinate of a difference is shortened, no further than to zero, so that what lies within bounds has length `eps`. */
function threshold(point: Float32Array, centre: Float32Array, eps: number, [low, high]: Bounds): number {
  if (work.sizes.length < point.length) work = { sizes: new Float64Array(point.length), rooms: new Float64Array(point.length) };
  const { sizes, rooms } = work;
  let [count, most] = [0, 0];
  for (let i = 0; i < point.length; i++) {
    const change = point[i]! - centre[i]!;
    if (change === 0) continue;
    const size = Math.abs(change);
    sizes[count] = size;
    rooms[count] = change > 0 ? high - centre[i]! : centre[i]! - low;
    count++;
    if (size > most) most = size;
  }
  let [below, above] = [0, Infinity];
  let shift = 0;
  for (let step = 0; step < MAX_STEPS; step++) {
    let [length, slope] = [0, 0];
    for (let k = 0; k < count; k++) {
      const left = sizes[k]! - shift;
      if (left <= 0) continue;
      if (left < rooms[k]!) {
        length += left;
        slope++;
      } else length += rooms[k]!;
    }
    const excess = length - eps;
    if (Math.abs(excess) <= 1e-12 * eps || (shift === 0 && excess <= 0)) break;
    if (excess > 0) below = shift;
    else above = shift;
    const next = slope > 0 ? shift + excess / slope : -1;
    shift = next > below && next < above ? next : (below + Math.min(above, most)) / 2;
  }
  return shift;
}

/**
 * Nearest point, in Euclidean distance, of the part of the L1 ball around one example that lies within bounds.
 *
 * @remarks
 * `δ = sign(u) · clip(|u| − μ, 0, room)` with the smallest μ ≥ 0 for which `‖δ‖₁ ≤ eps`; u is the difference from the centre and room what is left to the bound on its side. Exact, unlike
 * a projection onto the ball that is cut to the bounds afterwards, which leaves part of eps unused.
 *
 * @param point  - example to project, any shape, flat.
 * @param centre - clean example, same length, within bounds.
 * @param out    - receives the result; may be `point`. @defaultValue a new array
 * @returns `out`.
 * @throws {@link ArgumentError} if the lengths differ.
 * @see {@link https://arxiv.org/abs/2103.01208 | Croce & Hein 2021}, Prop. 2.1.
 *
 * @example
 * projectL1(new Float32Array([1.1, 0.3]), new Float32Array([0.5, 0.5]), { eps: 0.5, bounds: [0, 1] }); // [0.95, 0.45]
 */
export function projectL1(point: Float32Array, centre: Float32Array, { eps, bounds }: Ball, out: Float32Array = new Float32Array(point.length)): Float32Array {
  expectSameLength('projectL1', point, centre);
  const [low, high] = bounds;
  let source = point;
  let radius = eps;
  for (let attempt = 1; ; attempt *= 2) {
    const shift = threshold(source, centre, radius, bounds);
    let length = 0;
    for (let i = 0; i < source.length; i++) {
      const change = source[i]! - centre[i]!;
      const left = Math.abs(change) - shift;
      const moved = left <= 0 ? centre[i]! : centre[i]! + (change > 0 ? left : -left);
      out[i] = Math.min(Math.max(moved, low), high);
      length += Math.abs(out[i]! - centre[i]!);
    }
    // Rounding many coordinates the same way can lengthen the difference beyond its slack.
    if (!(length > longest(eps))) return out;
    source = out;
    radius = Math.max(0, radius - attempt * (length - eps));
  }
}

/**
 * Random point of the L1 ball around one example, moved into the bounds.
 *
 * @remarks
 * `'uniform'` in volume, before the bounds; `'boundary'`: a normal draw, lengthened to eps if it is shorter, and projected, which leaves few coordinates changed, as AutoAttack does.
 *
 * @param centre - clean example, flat.
 * @param rng    - stream of this example alone, e.g. `rng.stream('pgd').at(exampleId, restart)`.
 * @param out    - receives the result. @defaultValue a new array
 * @returns `out`.
 */
export function randomStartL1(centre: Float32Array, ball: Ball, kind: StartKind, rng: Rng, out: Float32Array = new Float32Array(centre.length)): Float32Array {
  const noise = kind === 'boundary' ? lengthened(rng.normal(centre.length), ball.eps) : uniformInBall(centre.length, ball.eps, rng);
  for (let i = 0; i < centre.length; i++) out[i] = centre[i]! + noise[i]!;
  return projectL1(out, centre, ball, out);
}

function lengthened(noise: Float32Array, eps: number): Float32Array {
  const scale = Math.max(1, eps / (noise.reduce((total, value) => total + Math.abs(value), 0) + TINY));
  return noise.map((value) => scale * value);
}

/** One of `size + 1` exponential draws is left out: the others, over the sum of all, are uniform in the simplex. */
function uniformInBall(size: number, eps: number, rng: Rng): Float32Array {
  const draws = rng.uniform(2 * size + 1);
  const parts = draws.subarray(0, size + 1).map((value) => -Math.log1p(-value));
  const total = parts.reduce((sum, value) => sum + value, TINY);
  return Float32Array.from({ length: size }, (_, i) => ((draws[size + 1 + i]! < 0.5 ? -eps : eps) * parts[i]!) / total);
}

/**
 * A step of L1 length `stepSize`, in equal parts along the coordinates of steepest slope, into `out`.
 *
 * @param count - how many coordinates; more where slopes are equal, fewer where they are zero.
 */
export function ascendSparsely(point: Float32Array, gradient: Float32Array, count: number, stepSize: number, out: Float32Array): void {
  const slopes = gradient.map(Math.abs).sort();
  const least = Math.max(slopes[slopes.length - count]!, Number.MIN_VALUE);
  let moved = 0;
  for (let i = 0; i < gradient.length; i++) if (Math.abs(gradient[i]!) >= least) moved++;
  const part = stepSize / Math.max(moved, 1);
  for (let i = 0; i < gradient.length; i++) {
    const slope = gradient[i]!;
    out[i] = point[i]! + (Math.abs(slope) < least ? 0 : slope > 0 ? part : -part);
  }
}

/** A gradient without the coordinates that a bound stops. */
export const freeSlopes = (point: Float32Array, gradient: Float32Array, [low, high]: Bounds): Float32Array =>
  gradient.map((slope, i) => ((slope > 0 ? point[i]! >= high : point[i]! <= low) ? 0 : slope));

/** {@link ascendSparsely} along the steepest hundredth of the coordinates, at least one, without those that a bound stops. */
export function ascendL1(point: Float32Array, gradient: Float32Array, stepSize: number, out: Float32Array, bounds: Bounds): void {
  ascendSparsely(point, freeSlopes(point, gradient, bounds), Math.max(1, Math.floor(SHARE * point.length)), stepSize, out);
}
