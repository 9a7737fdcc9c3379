import { type Bounds, expectArgument, expectNumber, expectOneOf } from '@moe/core';
import type { AttackNorm } from '../geometry/geometry.js';
import { type LossName, LOSSES } from '../losses/losses.js';

/** Options that every gradient attack of this package takes. */
export interface GradientAttackOptions {
  /** Radius of the ball, in input units; no default, because a wrong one is silently wrong. */
  readonly eps: number;
  /** @defaultValue 'Linf' */
  readonly norm?: AttackNorm;
  /** Loss that is maximised; `'dlr'` is `'cw'` for two classes. @defaultValue 'ce' */
  readonly loss?: LossName;
  /** Range of valid inputs. @defaultValue [0, 1] */
  readonly bounds?: Bounds;
  /** Tells two attacks of one kind apart: the attack's name becomes `kind:label`. Names also select the random stream. @defaultValue '' */
  readonly label?: string;
}

export const SHARED_KEYS = ['eps', 'norm', 'loss', 'bounds', 'label'] as const;

export function expectSharedOptions(caller: string, { eps, norm, loss, bounds, label }: Required<GradientAttackOptions>): void {
  expectNumber(caller, 'eps', eps, 0);
  expectOneOf(caller, 'norm', norm, ['Linf', 'L2']);
  expectOneOf(caller, 'loss', loss, Object.keys(LOSSES) as LossName[]);
  expectArgument(caller, 'bounds', Array.isArray(bounds) && bounds.length === 2, 'be [low, high]', bounds);
  expectNumber(caller, 'bounds[0]', bounds[0]);
  expectNumber(caller, 'bounds[1]', bounds[1]);
  expectArgument(caller, 'bounds', bounds[0] < bounds[1], 'rise', bounds);
  expectArgument(caller, 'label', typeof label === 'string', 'be a string', label);
}

export const nameOf = (kind: string, label: string): string => (label === '' ? kind : `${kind}:${label}`);

/** A frozen copy, arrays in it included. */
export function freeze<T extends { readonly bounds: Bounds }>(options: T): Readonly<T> {
  return Object.freeze({ ...options, bounds: Object.freeze([...options.bounds] as const) as unknown as Bounds });
}

