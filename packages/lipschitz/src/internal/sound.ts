import type { BoundDomain, OperatorNorm, SoundBound } from '@moe/core';
import { expectArgument, expectOneOf } from '@moe/core';
import { NORMS } from './bounds.js';

type Claim = Pick<SoundBound, 'value' | 'status' | 'norm' | 'domain'>;

/** Checks at run time what the types say: only sound bounds, in one norm, on balls of that norm. */
export function expectSound(caller: string, name: string, bound: Claim, norm: OperatorNorm = bound.norm): void {
  expectOneOf(caller, `${name}.status`, bound.status, ['exact', 'upper']);
  expectOneOf(caller, `${name}.norm`, bound.norm, NORMS);
  expectArgument(caller, `${name}.norm`, bound.norm === norm, `be '${norm}', as the others`, bound.norm);
  expectArgument(caller, `${name}.value`, bound.value >= 0, 'be a number ≥ 0', bound.value);
  const { domain } = bound;
  expectArgument(caller, `${name}.domain`, domain === 'global' || (domain.norm === norm && domain.radius >= 0), `be 'global' or a ball in ${norm}`, JSON.stringify(domain));
}

export const domainRadius = (domain: BoundDomain): number => (domain === 'global' ? Infinity : domain.radius);

/** Where all of these hold; balls have the same centre. */
export function commonDomain(bounds: readonly Claim[]): BoundDomain {
  const radius = Math.min(...bounds.map(({ domain }) => domainRadius(domain)));
  return radius === Infinity ? 'global' : { norm: bounds[0]!.norm, radius };
}

/** Product of non-negative numbers of which one may be infinite where the other is 0: nothing moves there. */
export const times = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);
