import type { SoundBound } from '@moe/core';
import { expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import { UNIT, roundDown, roundUp } from '../internal/rounding.js';
import { domainRadius, expectSound, times } from '../internal/sound.js';
import { type Certificate, type Margins, marginBounds, smallest } from './certificate.js';

/** Options of {@link dualCertificate}. */
export interface DualCertificateOptions extends Margins {
  /** Weight of the robust model, in (0, 1]. */
  readonly alpha: number;
  /** What is known of the standard model, for each other class; without it, that its outputs lie in [0, 1]. */
  readonly standard?: readonly StandardMargin[];
}

/** What is known of the standard model's margin of the class over one other. */
export interface StandardMargin {
  /** Its value at the input, in [−1, 1]. */
  readonly margin: number;
  /** A sound bound of it as a function of the input. */
  readonly bound: SoundBound;
}

/**
 * Certificate of a dual model `(1 − α) F_S + α F_R`, whose standard part has probabilities as outputs and need not be bounded.
 *
 * @remarks
 * For each other class the better of two radii: `(α m_R − (1 − α)) / (α L_R)`, whatever the standard model does, which is positive only for `m_R > (1 − α) / α`; and, where the standard model
 * has a bound, `(α m_R + (1 − α) m_S) / (α L_R + (1 − α) L_S)`, or up to the end of that bound's ball.
 *
 * @param options - `margins` and `bounds` are those of the robust model alone, on probabilities or on any outputs that the mixture adds up.
 * @throws {@link ArgumentError} if α is out of range, a standard margin is not that of probabilities, or a bound is not sound.
 * @see {@link https://arxiv.org/abs/2502.06832 | Zhang et al. 2025} for dual models; differs from their theorem: bounds of differences, one a class, and the standard model's.
 *
 * @example
 * dualCertificate({ alpha: 0.7, margins: [0.9], bounds: [boundOfDifference] });
 */
export function dualCertificate(options: DualCertificateOptions): Certificate {
  const caller = 'dualCertificate';
  expectKnownKeys(caller, options, ['alpha', 'margins', 'bounds', 'standard']);
  const { alpha, margins, standard } = options;
  expectNumber(caller, 'alpha', alpha, Number.MIN_VALUE, 1);
  const bounds = marginBounds(caller, options);
  const { norm } = bounds[0]!;
  expectArgument(caller, 'standard', standard === undefined || standard.length === margins.length, `have ${margins.length} entries, one a margin`, standard?.length);
  const over = (numerator: number, slope: number): number => (numerator <= 0 ? 0 : slope === 0 ? Infinity : roundDown(numerator / slope, 8));
  /** A difference or sum of two numbers, rounded down. */
  const low = (a: number, b: number): number => a + b - 4 * UNIT * (Math.abs(a) + Math.abs(b));
  const radii = margins.map((margin, b) => {
    const robust = bounds[b]!;
    const whatever = Math.min(domainRadius(robust.domain), over(low(alpha * margin, alpha - 1), alpha * robust.value));
    let radius = whatever;
    const known = standard?.[b];
    if (known !== undefined) {
      expectNumber(caller, `standard[${b}].margin`, known.margin, -1, 1);
      expectSound(caller, `standard[${b}].bound`, known.bound, norm);
      const slope = roundUp(times(alpha, robust.value) + times(1 - alpha, known.bound.value), 5);
      radius = Math.max(whatever, Math.min(domainRadius(robust.domain), domainRadius(known.bound.domain), over(low(alpha * margin, (1 - alpha) * known.margin), slope)));
    }
    return { radius, reason: `margin ${b} of the robust model is ${margin} and changes by at most ${robust.value} a unit (${robust.method})` };
  });
  return smallest(radii, norm, 'lipschitz');
}
