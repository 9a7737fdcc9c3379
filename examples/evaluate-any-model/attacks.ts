import { apgd, apgdTargeted, fabTargeted, sequence, square } from '@moe/attacks';
import type { Attack, Norm } from '@moe/core';

/** How much work the attacks do; `standard` has the steps, targets and queries of AutoAttack. */
export const PRESETS = {
  glance: { steps: 10, targets: 1, withFab: false, queries: 50 },
  quick: { steps: 50, targets: 3, withFab: false, queries: 500 },
  standard: { steps: 100, targets: 9, withFab: true, queries: 5000 },
} as const;

export type Preset = keyof typeof PRESETS;

/**
 * Attacks with gradients one after the other, and one without beside them: what only the latter fools speaks of masked gradients.
 *
 * @param preset - how much work they do.
 */
export function attacksOf({ attack: preset, eps, norm }: { readonly attack: Preset; readonly eps: number; readonly norm: Norm }): Attack[] {
  const { steps, targets, withFab, queries } = PRESETS[preset];
  const ball = { eps, norm };
  return [
    sequence('gradients', [apgd({ ...ball, steps }), apgdTargeted({ ...ball, steps, targets }), ...(withFab ? [fabTargeted({ ...ball, steps, targets })] : [])]),
    square({ ...ball, queries }),
  ];
}
