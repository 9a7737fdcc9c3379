// Shapes: E slots of the router.
import { expectArgument } from '@moe/core';
import type { Mixture } from '../spec/parts.js';

/** Which expert runs for each output of the router, -1 for none, `[E]`. */
export const slotsOf = ({ router, slots }: Mixture): readonly number[] => slots ?? Array.from({ length: router.numExperts }, (_, i) => i);

/** Index among the experts that have weights of the one that a slot of the router runs. */
export function physicalExpert(caller: string, name: string, part: Mixture, slot: number): number {
  const expert = slotsOf(part)[slot]!;
  expectArgument(caller, name, expert >= 0, 'be an expert that was not pruned', slot);
  return expert;
}
