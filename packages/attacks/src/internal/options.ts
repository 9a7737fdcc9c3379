import { type Bounds, type Compile, expectArgument, expectNumber, expectOneOf } from '@moe/core';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { type LossName, LOSSES } from '../losses/losses.js';
import { type AttackLoss, type Target, expectObjective } from './objective.js';
import { type PerExample, expectPerExample } from './per-example.js';

/** Options that every gradient attack of this package takes. */
export interface GradientAttackOptions {
  /** Radius of the ball, in input units, of all examples or by example id; no default, because a wrong one is silently wrong. */
  readonly eps: PerExample;
  /** @defaultValue 'Linf' */
  readonly norm?: AttackNorm;
  /** Loss that is maximised; `'dlr'` is `'cw'` for two classes. @defaultValue 'ce' */
  readonly loss?: LossName;
  /** Range of valid inputs. @defaultValue [0, 1] */
  readonly bounds?: Bounds;
  /** Tells two attacks of one kind apart: the attack's name becomes `kind:label`. Names also select the random stream. @defaultValue '' */
  readonly label?: string;
  /**
   * Compiles the passes over the model, e.g. `jit` of `@moe/backend`; kept for each model function that is attacked, and no part of the recorded options.
   * Losses are the same, directions equal up to rounding. For models that read no values while they run, so not for routed layers: their gates are read on the host.
   * @defaultValue passes run as they are
   */
  readonly compile?: Compile;
}

/** Options that the attacks by steps along the gradient take: FGSM, PGD, AutoPGD, MI-FGSM. */
export interface StepAttackOptions extends Omit<GradientAttackOptions, 'loss'> {
  /** Loss that is maximised, against the label or, with `target`, towards it; `'kl'` is the divergence from the clean input's distribution, as TRADES attacks. @defaultValue 'ce' */
  readonly loss?: AttackLoss;
  /** With a target, the attack succeeds where the model takes an example for it. @defaultValue 'none' */
  readonly target?: Target;
}

/** What of an attack's options is recorded: all that decides its result. */
export type Recorded<Options> = Required<Omit<Options, 'compile'>>;

export const SHARED_KEYS = ['eps', 'norm', 'loss', 'bounds', 'label', 'compile'] as const;
export const STEP_KEYS = [...SHARED_KEYS, 'target'] as const;

export function expectSharedOptions(caller: string, { eps, norm, loss, bounds, label }: Recorded<GradientAttackOptions>, compile: Compile | undefined): void {
  expectPerExample(caller, 'eps', eps, 0);
  expectOneOf(caller, 'norm', norm, Object.keys(GEOMETRIES) as AttackNorm[]);
  expectOneOf(caller, 'loss', loss, Object.keys(LOSSES) as LossName[]);
  expectArgument(caller, 'bounds', Array.isArray(bounds) && bounds.length === 2, 'be [low, high]', bounds);
  expectNumber(caller, 'bounds[0]', bounds[0]);
  expectNumber(caller, 'bounds[1]', bounds[1]);
  expectArgument(caller, 'bounds', bounds[0] < bounds[1], 'rise', bounds);
  expectArgument(caller, 'label', typeof label === 'string', 'be a string', label);
  expectArgument(caller, 'compile', compile === undefined || typeof compile === 'function', 'be a function', compile, "Pass jit of '@moe/backend'.");
}

export function expectStepOptions(caller: string, { loss, target, ...shared }: Recorded<StepAttackOptions>, compile: Compile | undefined): void {
  expectSharedOptions(caller, { ...shared, loss: 'ce' }, compile);
  expectObjective(caller, loss, target, compile !== undefined);
}

export function expectMultiEps(caller: string, multiEps: boolean, norm: AttackNorm): void {
  expectArgument(caller, 'multiEps', typeof multiEps === 'boolean', 'be true or false', multiEps);
  expectArgument(caller, 'multiEps', !multiEps || norm === 'L1', `be false for ${norm}`, multiEps, 'Larger balls help in L1 alone.');
}

export const nameOf = (kind: string, label: string): string => (label === '' ? kind : `${kind}:${label}`);

/** A frozen copy, arrays in it included. */
export function freeze<T extends object>(options: T): Readonly<T> {
  return Object.freeze(Object.fromEntries(Object.entries(options).map(([key, value]) => [key, Array.isArray(value) ? Object.freeze([...value]) : value])) as T);
}

