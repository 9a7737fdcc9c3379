import { expectInteger } from '@moe/core';
import { compactRows } from '../internal/compact.js';
import { compiledPasses } from '../internal/compiled-passes.js';
import { freeze, nameOf } from '../internal/options.js';
import { rankTargets } from '../internal/rank-targets.js';
import { gradientSearch } from '../minimum-norm/gradient-search.js';
import type { MinimumNormAttack } from '../minimum-norm/minimum-norm-attack.js';
import { approach, wayOf } from './approach.js';
import { type FabSharedOptions, type RecordedFab, fabOptions } from './options.js';

export interface FabTargetedOptions extends FabSharedOptions {
  /** How many classes are aimed at, one after the other, most likely first; all others where there are fewer. @defaultValue 9 */
  readonly targets?: number;
}

/**
 * Targeted FAB: {@link fab} with one run for each of the most likely wrong classes, towards the boundary to that class.
 *
 * @remarks
 * One backward pass a step, where `fab` needs one for every wrong class. No random draws. Differs from AutoAttack as `fab` does, and in ranking the targets once.
 *
 * @returns A frozen attack; its `options` hold every default.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/1907.02044 | Croce & Hein 2020}; the attack FAB-T of AutoAttack.
 *
 * @example
 * const attack = fabTargeted({ eps: 8 / 255, steps: 50 });
 */
export function fabTargeted(options: FabTargetedOptions = {}): MinimumNormAttack<RecordedFab<FabTargetedOptions>> {
  const shared = fabOptions('fabTargeted', options, ['targets']);
  const { targets = 9 } = options;
  expectInteger('fabTargeted', 'targets', targets, 1);
  const filled = freeze({ ...shared, targets });
  const name = nameOf('fabTargeted', filled.label);
  return gradientSearch(
    name,
    filled,
    (problem, nearest, clean) => {
      let standing: readonly number[] = Array.from({ length: problem.rows }, (_, row) => row);
      const ranked = rankTargets(clean.logits, problem.labels, targets);
      for (const [run, aims] of ranked.entries()) {
        standing = compactRows(standing, nearest.open);
        if (standing.length === 0) break;
        approach(problem, { ...filled, aims: [aims], points: problem.inputs.slice(), standing, nearest, run, runs: ranked.length });
      }
      return wayOf(problem, filled, nearest);
    },
    compiledPasses(name, 'targeted-cw', options.compile),
  );
}
