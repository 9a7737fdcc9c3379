import { type Compile, expectInteger, expectKnownKeys } from '@moe/core';
import type { AttackNorm } from '../geometry/geometry.js';
import { expectSharedOptions } from '../internal/options.js';
import { MINIMUM_NORM_KEYS, type MinimumNormOptions, expectMinimumNormOptions } from '../minimum-norm/minimum-norm-attack.js';

/** Options that both forms of FAB take. */
export interface FabSharedOptions extends MinimumNormOptions {
  /** @defaultValue 'Linf' */
  readonly norm?: AttackNorm;
  /** Steps of one run. @defaultValue 100 */
  readonly steps?: number;
  /** See `GradientAttackOptions.compile`. @defaultValue passes run as they are */
  readonly compile?: Compile;
}

/** Options as they are recorded. */
export type RecordedFab<Options extends FabSharedOptions> = Required<Omit<Options, 'eps' | 'compile'>> & Pick<MinimumNormOptions, 'eps'>;

/** Fills in and checks what both forms share. */
export function fabOptions(caller: string, options: FabSharedOptions, more: readonly string[]): RecordedFab<FabSharedOptions> {
  expectKnownKeys(caller, options, [...MINIMUM_NORM_KEYS, 'compile', 'steps', ...more]);
  const { eps, norm = 'Linf', bounds = [0, 1], label = '', compile, steps = 100 } = options;
  const filled = { ...(eps !== undefined && { eps }), norm, bounds, label, steps };
  expectMinimumNormOptions(caller, filled);
  expectSharedOptions(caller, { ...filled, eps: eps ?? 0, loss: 'ce' }, compile);
  expectInteger(caller, 'steps', steps, 1);
  return filled;
}
