import type { Bounds } from '@moe/core';
import { expectArgument } from '@moe/core';

/** Where a perturbed example may lie: within `eps` of the clean one, and within `bounds`. */
export interface Ball {
  /** Radius in input units. */
  readonly eps: number;
  readonly bounds: Bounds;
}

/** Where a random start lies: anywhere in the ball with equal chance, or on its surface. */
export type StartKind = 'uniform' | 'boundary';

export function expectSameLength(caller: string, point: ArrayLike<number>, centre: ArrayLike<number>): void {
  expectArgument(caller, 'point', point.length === centre.length, `have ${centre.length} entries, as many as centre`, point.length);
}
