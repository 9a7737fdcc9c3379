// Shapes: T tokens, E experts.
import { NumericsError, expectArgument, expectInteger } from '@moe/core';
import type { RouteContext } from '../types.js';

/** Checks the parts of a context that every router takes; returns how many experts are allowed. */
export function expectGateContext(caller: string, numExperts: number, { allowed, gate = 'hard', rowsPerExample = 1 }: RouteContext): number {
  expectInteger(caller, 'context.rowsPerExample', rowsPerExample, 1);
  if (typeof gate === 'object') expectArgument(caller, 'context.gate.temperature', gate.temperature > 0 && gate.temperature < Infinity, 'be a finite number > 0', gate.temperature);
  if (allowed === undefined) return numExperts;
  expectArgument(caller, 'context.allowed', allowed.length === numExperts, `have one entry per expert, ${numExperts}`, allowed.length);
  const open = allowed.filter(Boolean).length;
  expectArgument(caller, 'context.allowed', open >= 1, 'allow at least one expert', allowed);
  return open;
}

/** Refuses a plan on the device, for routers that decide on the host; `because` says why this one does. */
export function expectOnHost(caller: string, { onDevice = false }: RouteContext, because: string): void {
  expectArgument(caller, 'context.onDevice', !onDevice, `be false, because ${because} on the host`, onDevice);
}

/** Throws {@link NumericsError} if a gate, or what else decides, is not finite. */
export function expectFiniteGates(caller: string, gates: ArrayLike<number>, width: number, what = 'gates'): void {
  for (let i = 0; i < gates.length; i++) {
    if (!Number.isFinite(gates[i])) {
      throw new NumericsError(`${caller}: ${what} must be finite, got ${gates[i]} in row ${Math.floor(i / width)}. Check inputs and gate weights for NaN.`);
    }
  }
}
