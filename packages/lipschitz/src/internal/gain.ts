import type { OperatorNorm } from '@moe/core';
import { dualNorm } from './vectors.js';
import { UNIT, roundDown, roundUp } from './rounding.js';

/** How far a perturbation of bounded length can raise one linear function. */
export interface Gain {
  /** Largest rise within the radius, rounded outward. */
  at(radius: number): number;
  /** Smallest radius that raises by the amount, rounded inward; ∞ if none does. */
  reach(amount: number): number;
}

function freeGain(slopes: Float64Array, norm: OperatorNorm): Gain {
  const slope = dualNorm(slopes, norm);
  return {
    at: (radius) => (slope === 0 ? 0 : roundUp(slope * radius, 1)),
    reach: (amount) => (slope === 0 ? Infinity : roundDown(amount / slope, 1)),
  };
}

/** Coordinates in the order in which they reach their cap, or in which L1 spends its length. */
interface Capped {
  readonly slopes: Float64Array;
  readonly caps: Float64Array;
}

function sorted(slopes: Float64Array, caps: Float64Array, key: (slope: number, cap: number) => number): Capped {
  const order = Array.from(slopes.keys())
    .filter((d) => slopes[d]! > 0 && caps[d]! > 0)
    .sort((a, b) => key(slopes[a]!, caps[a]!) - key(slopes[b]!, caps[b]!));
  return { slopes: Float64Array.from(order, (d) => slopes[d]!), caps: Float64Array.from(order, (d) => caps[d]!) };
}

/** Sums of `terms` before each index (one more than terms), and from each index on. */
function partialSums(terms: Float64Array): { before: Float64Array; after: Float64Array } {
  const n = terms.length;
  const [before, after] = [new Float64Array(n + 1), new Float64Array(n + 1)];
  for (let k = 0; k < n; k++) before[k + 1] = before[k]! + terms[k]!;
  for (let k = n - 1; k >= 0; k--) after[k] = after[k + 1]! + terms[k]!;
  return { before, after };
}

/** First index of an ascending array whose value is at least `value`. */
function firstAtLeast(values: Float64Array, value: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! >= value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** `Σ slope · min(radius, cap)`: every coordinate moves at once until its cap. */
function linfGain({ slopes, caps }: Capped): Gain {
  const full = partialSums(slopes.map((slope, k) => slope * caps[k]!)).before;
  const left = partialSums(slopes).after;
  const corners = caps.map((cap, k) => full[k]! + cap * left[k]!);
  return {
    at: (radius) => {
      const k = firstAtLeast(caps, radius);
      return k === caps.length ? full[k]! : full[k]! + radius * left[k]!;
    },
    reach: (amount) => {
      const k = firstAtLeast(corners, amount);
      return k === caps.length ? Infinity : Math.max(k === 0 ? 0 : caps[k - 1]!, (amount - full[k]!) / left[k]!);
    },
  };
}

/** The steepest coordinate first, up to its cap, then the next. */
function l1Gain({ slopes, caps }: Capped): Gain {
  const lengths = partialSums(caps).before;
  const gains = partialSums(slopes.map((slope, k) => slope * caps[k]!)).before;
  const n = caps.length;
  return {
    at: (radius) => {
      const k = Math.min(firstAtLeast(lengths.subarray(1), radius), n);
      return k === n ? gains[n]! : gains[k]! + (radius - lengths[k]!) * slopes[k]!;
    },
    reach: (amount) => {
      const k = firstAtLeast(gains.subarray(1), amount);
      return k === n ? Infinity : lengths[k]! + Math.max(0, amount - gains[k]!) / slopes[k]!;
    },
  };
}

/** Along `min(cap, t · slope)`, the longest rise for its L2 length, by the t at which coordinates reach their caps. */
function l2Gain({ slopes, caps }: Capped): Gain {
  const n = caps.length;
  const turns = slopes.map((slope, k) => caps[k]! / slope);
  const capSquares = partialSums(caps.map((cap) => cap * cap)).before;
  const capGains = partialSums(slopes.map((slope, k) => slope * caps[k]!)).before;
  const squares = partialSums(slopes.map((slope) => slope * slope)).after;
  const lengths = turns.map((turn, k) => Math.sqrt(capSquares[k]! + turn * turn * squares[k]!));
  const gains = turns.map((turn, k) => capGains[k]! + turn * squares[k]!);
  const turnBefore = (k: number): number => (k === 0 ? 0 : turns[k - 1]!);
  return {
    at: (radius) => {
      const k = firstAtLeast(lengths, radius);
      if (k === n) return capGains[n]!;
      const turn = Math.sqrt(Math.max(0, radius * radius - capSquares[k]!) / squares[k]!);
      return capGains[k]! + Math.max(turnBefore(k), turn) * squares[k]!;
    },
    reach: (amount) => {
      const k = firstAtLeast(gains, amount);
      if (k === n) return Infinity;
      const turn = Math.max(turnBefore(k), (amount - capGains[k]!) / squares[k]!);
      return Math.sqrt(capSquares[k]! + turn * turn * squares[k]!);
    },
  };
}

/**
 * How far `Σ slopes · δ` can rise for a perturbation δ in a ball that stays within a box.
 *
 * @remarks
 * Exact: along the best perturbation of each radius the rise is a concave function, known in closed form between the radii at which coordinates reach the box.
 *
 * @param caps - how far each coordinate may move in the direction of its slope; without it, any distance.
 */
export function linearGain(slopes: Float64Array, norm: OperatorNorm, caps?: Float64Array): Gain {
  if (caps === undefined) return freeGain(slopes, norm);
  const lengths = slopes.map(Math.abs);
  const byNorm = { Linf: [(_: number, cap: number) => cap, linfGain], L1: [(slope: number) => -slope, l1Gain], L2: [(slope: number, cap: number) => cap / slope, l2Gain] } as const;
  const [key, gain] = byNorm[norm];
  const inner = gain(sorted(lengths, caps, key));
  // Sums of positive terms: their relative rounding is at most one unit a term, and both curves are concave, so relative errors carry over without growing.
  const slack = (6 * slopes.length + 32) * UNIT;
  return {
    at: (radius) => inner.at(radius) * (1 + slack),
    reach: (amount) => inner.reach(amount * (1 - slack)) * (1 - slack),
  };
}
