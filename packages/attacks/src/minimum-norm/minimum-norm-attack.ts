// Shapes: B batch.
import { type Attack, type AttackContext, type Bounds, type LogitsFn, type Perturbation, expectArgument, expectOneOf } from '@moe/core';
import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import { type AttackNorm, DISTANCES, GEOMETRIES, type MinimumNorm } from '../geometry/geometry.js';
import { expectSharedOptions } from '../internal/options.js';
import type { PerExample } from '../internal/per-example.js';
import { type BestPoints, type Task, rowOf } from '../internal/problem.js';

/** Options that every attack for the nearest misclassified point takes. */
export interface MinimumNormOptions {
  /**
   * Radius, in input units, of all examples or by example id, that is near enough: a row stops as soon as a misclassified point within it is known, and one further away is none.
   * @defaultValue none: the nearest point that the attack can find, however far
   */
  readonly eps?: PerExample;
  /** Norm that is made small. @defaultValue 'L2' */
  readonly norm?: MinimumNorm;
  /** Range of valid inputs. @defaultValue [0, 1] */
  readonly bounds?: Bounds;
  /** As in {@link GradientAttackOptions}. @defaultValue '' */
  readonly label?: string;
}

/** Options as they are recorded: with every default, and `eps` only where one was given. */
export type RecordedMinimumNorm<Options extends MinimumNormOptions> = Required<Omit<Options, 'eps'>> & Pick<MinimumNormOptions, 'eps'>;

/** Outcome of a {@link MinimumNormAttack}. */
export interface MinimumNormPerturbation extends Perturbation {
  /** Distance of `adversarial` from the input in the attack's norm, `[B]`: 0 where the input itself is misclassified, infinite where nothing was found (within `eps`). */
  readonly distances: Float32Array;
}

/**
 * An attack that looks for the nearest misclassified point instead of any point in a ball.
 *
 * @remarks
 * With `eps` it is an attack like any other, which succeeds where that distance is within `eps`; rows that it does not fool are returned unchanged.
 */
export interface MinimumNormAttack<Options extends object = object> extends Attack<Options> {
  perturb(model: LogitsFn, inputs: Tensor, labels: Tensor1D, context: AttackContext): MinimumNormPerturbation;
}

export const MINIMUM_NORM_KEYS = ['eps', 'norm', 'bounds', 'label'] as const;

/** Checks the shared options; `eps` leaves no trace where it was not given. */
export function expectMinimumNormOptions(
  caller: string,
  { eps, norm, bounds, label }: RecordedMinimumNorm<MinimumNormOptions>,
  norms: readonly MinimumNorm[] = Object.keys(GEOMETRIES) as AttackNorm[],
): void {
  expectArgument(caller, 'eps', eps !== Infinity, 'be finite', eps, 'Leave it out to look for the nearest point, however far.');
  expectOneOf(caller, 'norm', norm, norms);
  expectSharedOptions(caller, { eps: eps ?? 0, norm: 'L2', loss: 'ce', bounds, label }, undefined);
}

/** How far away the misclassified points are, `[B]`; infinite for rows that still stand. */
export function distancesOf({ inputs, rows, size }: Task, norm: MinimumNorm, { points, wrong }: BestPoints): Float32Array {
  const distance = DISTANCES[norm];
  return Float32Array.from({ length: rows }, (_, row) => (wrong[row] === 1 ? distance(rowOf(points, row, size), rowOf(inputs, row, size)) : Infinity));
}
