import { type Attack, type Bounds, expectKnownKeys, expectOneOf } from '@moe/core';
import { apgd } from './apgd.js';
import { apgdTargeted } from './apgd-targeted.js';
import { fab } from './fab.js';
import type { AttackNorm } from './geometry/geometry.js';
import { type SequenceOptions, sequence } from './sequence.js';
import { square } from './square.js';

export interface AutoAttackOptions {
  /** Radius of the ball, in input units. */
  readonly eps: number;
  /** @defaultValue 'Linf' */
  readonly norm?: AttackNorm;
  /** Range of valid inputs. @defaultValue [0, 1] */
  readonly bounds?: Bounds;
  /**
   * `'standard'`: APGD-CE, targeted APGD, targeted FAB, Square. `'quick'`: the first two, which decide nearly every example of models without masked gradients, at less than a
   * third of the cost. @defaultValue 'standard'
   */
  readonly version?: 'standard' | 'quick';
}

/**
 * AutoAttack: an ensemble of attacks without parameters to tune, each on what still stands after those before it.
 *
 * @remarks
 * As the standard version: APGD on cross-entropy, 100 steps; targeted APGD on the difference of logits ratio, 9 targets; targeted FAB, 9 targets; Square, 5,000 queries. Differs as its parts
 * do, see there.
 *
 * @returns A frozen attack named `autoAttack:standard` or `autoAttack:quick`.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/2003.01690 | Croce & Hein 2020}
 *
 * @example
 * const result = await evaluate({ model, data, attacks: [autoAttack({ eps: 8 / 255 })], seed: 1, limit: 200 });
 */
export function autoAttack(options: AutoAttackOptions): Attack<SequenceOptions> {
  expectKnownKeys('autoAttack', options, ['eps', 'norm', 'bounds', 'version']);
  const { version = 'standard', ...shared } = options;
  expectOneOf('autoAttack', 'version', version, ['standard', 'quick']);
  const gradient = [apgd(shared), apgdTargeted(shared)];
  return sequence(`autoAttack:${version}`, version === 'quick' ? gradient : [...gradient, fab(shared), square(shared)]);
}
