import { expectKnownKeys } from '@moe/core';
import { type Certificate, type Margins, marginRadii, marginBounds, smallest } from './certificate.js';

/**
 * Certificate from the margin over every other class and a bound of each of these differences: the smallest margin over its bound.
 *
 * @remarks
 * Tighter than {@link certifiedRadius}, which has one bound for all logits at once. A bound that holds in a ball certifies no more than that ball.
 *
 * @param options - see {@link Margins}.
 * @throws {@link ArgumentError} if a bound is a lower bound or an estimate, or norms differ.
 *
 * @example
 * marginCertificate({ margins: [0.8, 1.4], bounds: [boundOfFirst, boundOfSecond] }).radius;
 */
export function marginCertificate(options: Margins): Certificate {
  expectKnownKeys('marginCertificate', options, ['margins', 'bounds']);
  return smallest(marginRadii('marginCertificate', options), marginBounds('marginCertificate', options)[0]!.norm, 'lipschitz');
}
