import { expectInteger, expectKnownKeys } from '@moe/core';
import { type GradientAttackOptions, expectSharedOptions } from '../internal/options.js';

/** Options that every attack on routing takes. */
export interface RoutingAttackOptions extends Omit<GradientAttackOptions, 'compile'> {
  /** Steps of one run. @defaultValue 50 */
  readonly steps?: number;
}

/** Fills in and checks what all attacks on routing share. */
export function routingOptions(caller: string, options: RoutingAttackOptions, more: readonly string[]): Required<RoutingAttackOptions> {
  expectKnownKeys(caller, options, ['eps', 'norm', 'loss', 'bounds', 'label', 'steps', ...more]);
  const { eps, norm = 'Linf', loss = 'ce', bounds = [0, 1], label = '', steps = 50 } = options;
  expectSharedOptions(caller, { eps, norm, loss, bounds, label }, undefined);
  expectInteger(caller, 'steps', steps, 1);
  return { eps, norm, loss, bounds, label, steps };
}
