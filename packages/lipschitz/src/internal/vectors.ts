import type { OperatorNorm } from '@moe/core';
import { frobeniusNorm } from './gram.js';
import { roundUp } from './rounding.js';

/** Norm of a vector, rounded outward. */
export function vectorNorm(x: Float64Array, norm: OperatorNorm): number {
  if (norm === 'L2') return frobeniusNorm(x);
  if (norm === 'Linf') return x.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  return roundUp(x.reduce((sum, value) => sum + Math.abs(value), 0), x.length);
}

const DUAL: Readonly<Record<OperatorNorm, OperatorNorm>> = { L2: 'L2', Linf: 'L1', L1: 'Linf' };

/** Largest inner product with a perturbation of length 1 in `norm`, rounded outward. */
export const dualNorm = (x: Float64Array, norm: OperatorNorm): number => vectorNorm(x, DUAL[norm]);

/** Pairs of indices `i < j` below `count`. */
export function pairs(count: number): [number, number][] {
  const all: [number, number][] = [];
  for (let i = 0; i < count; i++) for (let j = i + 1; j < count; j++) all.push([i, j]);
  return all;
}
