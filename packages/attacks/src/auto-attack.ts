import { type Attack, type Bounds, type Compile, expectArgument, expectKnownKeys, expectOneOf } from '@moe/core';
import { apgd } from './apgd.js';
import { apgdTargeted } from './apgd-targeted.js';
import { fab } from './fab/fab.js';
import { fabTargeted } from './fab/fab-targeted.js';
import type { AttackNorm } from './geometry/geometry.js';
import type { CombinedOptions } from './combinators/combined.js';
import { sequence } from './combinators/sequence.js';
import { withEot } from './combinators/with-eot.js';
import type { PerExample } from './internal/per-example.js';
import { routingParts } from './moe/routing-attacks.js';
import { square } from './square.js';

export interface AutoAttackOptions {
  /** Radius of the ball, in input units, of all examples or by example id. */
  readonly eps: PerExample;
  /** @defaultValue 'Linf' */
  readonly norm?: AttackNorm;
  /** Range of valid inputs. @defaultValue [0, 1] */
  readonly bounds?: Bounds;
  /** Compiles the passes of every part, see `GradientAttackOptions.compile`. @defaultValue passes run as they are */
  readonly compile?: Compile;
  /**
   * `'standard'`: APGD-CE, targeted APGD, targeted FAB, Square.
   * `'quick'`: APGD-CE, Square that gives up where it gets nowhere, targeted APGD with 3 targets; for less than a third of the cost. Misses what only FAB, further targets or long searches find.
   * `'plus'`: APGD-CE and APGD-DLR with 5 restarts each, untargeted FAB with 5, Square, targeted APGD, targeted FAB.
   * `'moe'`: the standard version with attacks on routing between its second and third part, see {@link routingAttacks}; for models that bring `moe`. Fools what the standard version fools,
   * and more where routing hides gradients.
   * `'rand'`, for randomised models: APGD-CE and APGD-DLR, each pass the mean of 20 draws.
   * @defaultValue 'standard'
   */
  readonly version?: (typeof VERSIONS)[number];
}

const VERSIONS = ['standard', 'quick', 'plus', 'moe', 'rand'] as const;
/** Draws of a randomised model's noise for each pass, as in the published version. */
const DRAWS = 20;
/** Classes that the quick version aims at; further ones fooled none of the images of `benchmarks/attacks`. */
const QUICK_TARGETS = 3;

/**
 * AutoAttack: an ensemble of attacks without parameters to tune, each on what still stands after those before it.
 *
 * @remarks
 * Steps, restarts and targets are those of the published versions: 100 steps, 9 targets, 5,000 queries; in L1 the standard version has 5 restarts of APGD-CE and 5 targets for targeted
 * APGD. Differs as its parts do, see there; and `'plus'` in L1 keeps the larger balls of APGD, where the published one, which warns of that norm, does not.
 *
 * @returns A frozen attack named `autoAttack:standard`, `autoAttack:quick`, `autoAttack:plus`, `autoAttack:moe` or `autoAttack:rand`.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/2003.01690 | Croce & Hein 2020}
 *
 * @example
 * const result = await evaluate({ model, data, attacks: [autoAttack({ eps: 8 / 255 })], seed: 1, limit: 200 });
 */
export function autoAttack(options: AutoAttackOptions): Attack<CombinedOptions> {
  return sequence(`autoAttack:${options.version ?? 'standard'}`, checkedParts('autoAttack', options));
}

/**
 * The attacks that {@link autoAttack} of the same options runs one after the other, to run them one at a time.
 *
 * @remarks
 * Each has the draws that it has there. Handed only what still stands after those before it, with its `exampleIds`, they leave what `autoAttack` leaves.
 *
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 *
 * @example
 * const result = await evaluate({ model, data, attacks: autoAttackParts({ eps: 8 / 255 }), seed: 1, limit: 200 });
 */
export function autoAttackParts(options: AutoAttackOptions): readonly Attack[] {
  return checkedParts('autoAttackParts', options);
}

function checkedParts(caller: string, options: AutoAttackOptions): readonly Attack[] {
  expectKnownKeys(caller, options, ['eps', 'norm', 'bounds', 'compile', 'version']);
  const { version = 'standard', ...shared } = options;
  expectOneOf(caller, 'version', version, VERSIONS);
  expectArgument(caller, 'compile', version !== 'moe' || options.compile === undefined, "be left out with version 'moe'", options.compile, 'Routed layers read their gates on the host.');
  expectArgument(caller, 'compile', version !== 'rand' || shared.compile === undefined, "be left out with version 'rand'", shared.compile, 'Compiled passes have no noise.');
  return partsOf(version, shared);
}

function partsOf(version: (typeof VERSIONS)[number], shared: Omit<AutoAttackOptions, 'version'>): readonly Attack[] {
  if (version === 'rand') return [apgd({ ...shared, label: 'ce' }), apgd({ ...shared, loss: 'dlr', label: 'dlr' })].map((attack) => withEot(attack, DRAWS));
  if (version === 'plus') {
    const restarts = 5;
    return [
      apgd({ ...shared, restarts, label: 'ce' }),
      apgd({ ...shared, restarts, loss: 'dlr', label: 'dlr' }),
      fab({ ...shared, restarts }),
      square(shared),
      apgdTargeted(shared),
      fabTargeted(shared),
    ];
  }
  const [restarts, targets] = shared.norm === 'L1' ? [5, 5] : [1, 9];
  const first = apgd({ ...shared, restarts });
  if (version === 'quick') return [first, square({ ...shared, giveUp: true }), apgdTargeted({ ...shared, targets: QUICK_TARGETS })];
  const routing = version === 'moe' ? routingParts(shared) : [];
  return [first, apgdTargeted({ ...shared, targets }), ...routing, fabTargeted(shared), square(shared)];
}
