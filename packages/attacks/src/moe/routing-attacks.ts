import type { Attack, Bounds } from '@moe/core';
import type { CombinedOptions } from '../combinators/combined.js';
import { sequence } from '../combinators/sequence.js';
import type { AttackNorm } from '../geometry/geometry.js';
import type { PerExample } from '../internal/per-example.js';
import { expertTargeted, twoPhase } from './expert-targeted.js';
import { pathEnumeration } from './path-enumeration.js';
import { relaxedGates, trainingGates } from './relaxed-gates.js';

export interface RoutingAttacksOptions {
  /** Radius of the ball, in input units, of all examples or by example id. */
  readonly eps: PerExample;
  /** @defaultValue 'Linf' */
  readonly norm?: AttackNorm;
  /** Range of valid inputs. @defaultValue [0, 1] */
  readonly bounds?: Bounds;
}

/**
 * The attacks on routing that `autoAttack({ version: 'moe' })` adds to AutoAttack, one after the other: gates as in training, relaxed gates, two phases, experts one by one, paths.
 *
 * @remarks
 * Beside a plain `autoAttack` in one evaluation it tells what routing hid: examples that this fools and that does not.
 *
 * @returns A frozen attack named `routingAttacks`, on models that bring `moe`, such as `logitsFn(moeModel(network))`.
 * @throws {@link ArgumentError} if an option is unknown or out of range; `perturb` throws if the model brings no MoE model.
 *
 * @example
 * const attacks = [autoAttack({ eps }), routingAttacks({ eps })];
 */
export function routingAttacks(options: RoutingAttacksOptions): Attack<CombinedOptions> {
  return sequence('routingAttacks', routingParts(options));
}

export const routingParts = (options: RoutingAttacksOptions): readonly Attack[] => [trainingGates(options), relaxedGates(options), twoPhase(options), expertTargeted(options), pathEnumeration(options)];
