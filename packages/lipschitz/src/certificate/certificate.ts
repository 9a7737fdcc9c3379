import type { OperatorNorm, SoundBound } from '@moe/core';
import { expectArgument, expectNumber } from '@moe/core';
import { roundDown } from '../internal/rounding.js';
import { domainRadius, expectSound } from '../internal/sound.js';

/**
 * What a certificate rests on.
 *
 * @remarks
 * `'lipschitz'`: margins and slopes. `'route-stable'`: those of one route, which does not change. `'route-crossing'`: routes may change, and every reachable one keeps the class.
 * `'smoothed'`: samples, with a confidence. `'vacuous'`: the margins leave nothing to certify. `'abstained'`: samples are not clear enough. `'unknown'`: the search gave up.
 */
export type CertificateStatus = 'lipschitz' | 'route-stable' | 'route-crossing' | 'smoothed' | 'vacuous' | 'abstained' | 'unknown';

/** A promise that no perturbation shorter than `radius` changes the class. */
export interface Certificate {
  /** In the norm, in input units; 0 if nothing is certified. */
  readonly radius: number;
  readonly norm: OperatorNorm;
  readonly status: CertificateStatus;
  /** Chance that it holds: 1 if proved, less if estimated from samples. */
  readonly confidence: number;
  /** What limits the radius, in words. */
  readonly reasons: readonly string[];
}

/** Margins of the predicted class over every other at one input, and how fast each may change. */
export interface Margins {
  /** Logit of the predicted class less that of each other class. */
  readonly margins: readonly number[];
  /** A sound bound of each of these differences as a function of the input, or one that holds for all of them. */
  readonly bounds: SoundBound | readonly SoundBound[];
}

/** The bound of each margin, checked. */
export function marginBounds(caller: string, { margins, bounds }: Margins): readonly SoundBound[] {
  expectArgument(caller, 'margins', margins.length > 0, 'have at least one entry, one a competing class', margins.length);
  margins.forEach((margin, b) => expectNumber(caller, `margins[${b}]`, margin));
  const each = 'value' in bounds ? margins.map(() => bounds) : bounds;
  expectArgument(caller, 'bounds', each.length === margins.length, `have ${margins.length} entries, one a margin`, each.length);
  each.forEach((bound, b) => expectSound(caller, `bounds[${b}]`, bound, each[0]!.norm));
  return each;
}

/** How far one margin lasts, within where its bound holds. */
export const marginRadius = (margin: number, bound: SoundBound): number =>
  margin <= 0 ? 0 : Math.min(domainRadius(bound.domain), bound.value === 0 ? Infinity : roundDown(margin / bound.value, 1));

/** The certificate of the smallest of several radii. */
export function smallest(radii: readonly { readonly radius: number; readonly reason: string }[], norm: OperatorNorm, status: CertificateStatus, confidence = 1): Certificate {
  const limit = radii.reduce((best, candidate) => (candidate.radius < best.radius ? candidate : best));
  return { radius: limit.radius, norm, status: limit.radius > 0 ? status : 'vacuous', confidence, reasons: [limit.reason] };
}

/** Radius of each margin, with the reason. */
export const marginRadii = (caller: string, margins: Margins): { radius: number; reason: string }[] =>
  marginBounds(caller, margins).map((bound, b) => ({
    radius: marginRadius(margins.margins[b]!, bound),
    reason: `margin ${b} is ${margins.margins[b]} and changes by at most ${bound.value} a unit (${bound.method})`,
  }));
