import type { Bound, BoundStatus, OperatorNorm } from '@moe/core';
import { expectInteger, expectOneOf } from '@moe/core';

export const NORMS: readonly OperatorNorm[] = ['L2', 'Linf', 'L1'];

/** Options of the bounds of one linear layer. */
export interface LinearBoundOptions {
  /** Norm of input and output. @defaultValue 'L2' */
  readonly norm?: OperatorNorm;
  /** Squarings of a Gram iteration for `'L2'`, looser than the proof by a factorisation that is the default; as published, and without a factorisation. */
  readonly iterations?: number;
}

export function checkLinearOptions(caller: string, norm: OperatorNorm, iterations?: number): void {
  expectOneOf(caller, 'norm', norm, NORMS);
  // 2^30 is far beyond where the bound stops to move.
  if (iterations !== undefined) expectInteger(caller, 'iterations', iterations, 0, 30);
}

export const globalBound = <S extends BoundStatus>(value: number, status: S, norm: OperatorNorm, method: string): Bound<S> => ({
  value,
  status,
  norm,
  domain: 'global',
  method,
});
