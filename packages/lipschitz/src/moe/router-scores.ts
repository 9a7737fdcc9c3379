import type { OperatorNorm } from '@moe/core';

/**
 * What is known of a router's scores in a ball around one input; a class counts as well as an expert.
 *
 * @remarks
 * Made by {@link affineScores} or {@link boundedScores}. Everything is rounded so that what follows from it holds.
 */
export interface RouterScores {
  /** Scores at the input, one an expert. */
  readonly gateLogits: Float64Array;
  /** Norm of perturbations of the input. */
  readonly norm: OperatorNorm;
  /** Whether gaps and distances are reached by some perturbation, up to rounding. */
  readonly exact: boolean;
  /** Radius of the ball in which all this holds; ∞ if everywhere. */
  readonly limit: number;
  /** Lipschitz constant of the difference of two scores, or an upper bound of it. */
  slope(one: number, other: number): number;
  /** Upper bound of how far score `other` exceeds score `one` anywhere within `radius`. */
  largestGap(one: number, other: number, radius: number): number;
  /** Radius within which score `other` stays below score `one`; 0 where it is not below at the input. */
  distance(one: number, other: number): number;
}
