import { ArgumentError } from '@moe/core';
import { UNIT } from '../internal/rounding.js';
import type { ElementwiseStep } from '../network/graph.js';

const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

/** A function that never falls: its value, its slope, and where it may touch a line. */
interface Curve {
  value(x: number): number;
  slope(x: number): number;
  /** Points where the slope is s, and knots: extremes of `value(x) − s x` lie there or at the ends. */
  touches(s: number): readonly number[];
  /** Where the slope is largest, in between; Infinity where it only grows. */
  readonly steepest: number;
}

const symmetric = (x: number): readonly number[] => (Number.isFinite(x) ? [x, -x] : []);

const CURVES: Partial<Record<ElementwiseStep['activation'], Curve>> = {
  relu6: { value: (x) => Math.min(6, Math.max(0, x)), slope: (x) => (x >= 0 && x <= 6 ? 1 : 0), touches: () => [0, 6], steepest: 3 },
  hardSigmoid: { value: (x) => Math.min(1, Math.max(0, 0.2 * x + 0.5)), slope: (x) => (Math.abs(x) <= 2.5 ? 0.2 : 0), touches: () => [-2.5, 2.5], steepest: 0 },
  elu: { value: (x) => (x > 0 ? x : Math.expm1(x)), slope: (x) => (x > 0 ? 1 : Math.exp(x)), touches: (s) => [0, ...(s > 0 ? [Math.log(s)] : [])], steepest: Infinity },
  softplus: { value: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), slope: sigmoid, touches: (s) => (s > 0 && s < 1 ? [Math.log(s / (1 - s))] : []), steepest: Infinity },
  sigmoid: { value: sigmoid, slope: (x) => sigmoid(x) * sigmoid(-x), touches: (s) => (s > 0 && s <= 0.25 ? symmetric(2 * Math.atanh(Math.sqrt(1 - 4 * s))) : []), steepest: 0 },
  tanh: { value: Math.tanh, slope: (x) => 1 / Math.cosh(x) ** 2, touches: (s) => (s > 0 && s <= 1 ? symmetric(Math.atanh(Math.sqrt(1 - s))) : []), steepest: 0 },
  softsign: { value: (x) => x / (1 + Math.abs(x)), slope: (x) => 1 / (1 + Math.abs(x)) ** 2, touches: (s) => (s > 0 && s <= 1 ? symmetric(1 / Math.sqrt(s) - 1) : []), steepest: 0 },
};

/** Room for the last places of exponentials and their like. */
const ULPS = 16 * UNIT;

function curveOf(caller: string, { activation, name }: ElementwiseStep): Curve {
  const curve = CURVES[activation];
  if (curve === undefined) throw new ArgumentError(`${caller}: activation '${name}' must be relu or one of ${Object.keys(CURVES).join(', ')}, got ${activation}. Only these have local bounds.`);
  return curve;
}

/** The smallest and the largest value on `[l, u]`, rounded outward. */
export function valueRange(caller: string, step: ElementwiseStep, l: number, u: number): readonly [number, number] {
  if (step.activation === 'relu') {
    const at = (x: number): number => (x > 0 ? x : x * step.slope);
    const ends = [at(l), at(u), ...(l < 0 && u > 0 ? [0] : [])];
    return [Math.min(...ends), Math.max(...ends)];
  }
  const { value } = curveOf(caller, step);
  const [low, high] = [value(l), value(u)];
  return [low - ULPS * (Math.abs(low) + 1), high + ULPS * (Math.abs(high) + 1)];
}

/** The smallest and the largest slope on `[l, u]`; both one-sided slopes at a kink. */
export function slopeRange(caller: string, step: ElementwiseStep, l: number, u: number): readonly [number, number] {
  if (step.activation === 'relu') {
    const slopes = [...(l <= 0 ? [step.slope] : []), ...(u >= 0 ? [1] : [])];
    return [Math.min(...slopes), Math.max(...slopes)];
  }
  const { slope, steepest, touches } = curveOf(caller, step);
  const ends = [slope(l), slope(u)];
  // Knots of piecewise linear curves have the slope of either side.
  if (step.activation === 'relu6' || step.activation === 'hardSigmoid') {
    const [first, last] = touches(0) as [number, number];
    const flat = l <= first || u >= last;
    const steep = u >= first && l <= last;
    return [flat ? 0 : slope(steepest), steep ? slope(steepest) : 0];
  }
  const top = l <= steepest && steepest <= u ? slope(steepest) : Math.max(...ends);
  return [Math.max(0, Math.min(...ends) * (1 - ULPS) - ULPS), top * (1 + ULPS) + ULPS];
}

/** Lines below and above the function on an interval: `slope · x + offset`. */
export interface Lines {
  readonly lowSlope: number;
  readonly lowOffset: number;
  readonly highSlope: number;
  readonly highOffset: number;
}

/**
 * Lines that enclose the function on `[l, u]`.
 *
 * @remarks
 * ReLU: above the chord, below the line through 0 with the smaller area (slope 1 or that of the negative side). Others: two lines with the slope of the chord that touch.
 *
 * @see {@link https://arxiv.org/abs/1811.00866 | Zhang et al. 2018}.
 */
export function linesOf(caller: string, step: ElementwiseStep, l: number, u: number): Lines {
  if (step.activation === 'relu') {
    const { slope } = step;
    const one = (s: number): Lines => ({ lowSlope: s, lowOffset: 0, highSlope: s, highOffset: 0 });
    if (l >= 0) return one(1);
    if (u <= 0) return one(slope);
    const chord = (u - slope * l) / (u - l);
    const touching = -l < u ? 1 : slope;
    // The chord passes through both ends; rounded away from the function.
    const offset = Math.max(u - chord * u, slope * l - chord * l);
    const room = ULPS * (u - l) * (1 + Math.abs(slope));
    // With a slope above 1 the kink is concave, and the chord lies below.
    if (slope <= 1) return { lowSlope: touching, lowOffset: 0, highSlope: chord, highOffset: offset + room };
    return { lowSlope: chord, lowOffset: Math.min(u - chord * u, slope * l - chord * l) - room, highSlope: touching, highOffset: 0 };
  }
  const { value, slope, touches } = curveOf(caller, step);
  const chord = u - l > 1e-6 ? (value(u) - value(l)) / (u - l) : slope((l + u) / 2);
  const points = [l, u, ...touches(chord).filter((x) => x > l && x < u)];
  const offsets = points.map((x) => value(x) - chord * x);
  const room = ULPS * (2 + Math.abs(value(l)) + Math.abs(value(u)) + chord * (Math.abs(l) + Math.abs(u)));
  return { lowSlope: chord, lowOffset: Math.min(...offsets) - room, highSlope: chord, highOffset: Math.max(...offsets) + room };
}
