/**
 * What a number claims.
 *
 * @remarks
 * `exact` equals the constant; `upper` is never below it; `lower` has a witness; `estimate` claims nothing.
 */
export type BoundStatus = 'exact' | 'upper' | 'lower' | 'estimate';

/** Norms of input and output between which a constant is taken. */
export type OperatorNorm = 'L2' | 'Linf' | 'L1';

/** Where a bound holds: everywhere, or in a ball around one input. */
export type BoundDomain = 'global' | { readonly norm: OperatorNorm; readonly radius: number };

/** A bound is never a bare number. */
export interface Bound<Status extends BoundStatus = BoundStatus> {
  readonly value: number;
  readonly status: Status;
  readonly norm: OperatorNorm;
  readonly domain: BoundDomain;
  /** How it was computed, e.g. `'gram-iteration(6)'`. */
  readonly method: string;
}

/** The only bounds that may enter a certificate. */
export type SoundBound = Bound<'exact' | 'upper'>;
