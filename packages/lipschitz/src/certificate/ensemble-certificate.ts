import type { SoundBound } from '@moe/core';
import { expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import { UNIT, roundUp } from '../internal/rounding.js';
import { commonDomain, times } from '../internal/sound.js';
import { type Certificate, type Margins, marginBounds } from './certificate.js';
import { marginCertificate } from './margin-certificate.js';

/**
 * Certificate of a weighted sum of models: margins and bounds add up, class by class.
 *
 * @remarks
 * Never below the weighted mean of the members' certificates if they share their bounds; above every member where they fear different classes: margins (1, 3) and (3, 1) become (2, 2).
 *
 * @param options - `weights` of the members' outputs, ≥ 0; `members`, the margins of each over the same classes in the same order, negative where a member prefers another class.
 * @throws {@link ArgumentError} if members disagree about classes or norms, or a bound is not sound.
 * @see {@link https://arxiv.org/abs/2304.13019 | Petrov et al. 2023}.
 *
 * @example
 * ensembleCertificate({ weights: [0.5, 0.5], members: [{ margins: [1, 3], bounds }, { margins: [3, 1], bounds }] }).radius;
 */
export function ensembleCertificate(options: { readonly weights: readonly number[]; readonly members: readonly Margins[] }): Certificate {
  const caller = 'ensembleCertificate';
  expectKnownKeys(caller, options, ['weights', 'members']);
  const { weights, members } = options;
  expectArgument(caller, 'members', members.length > 0 && members.length === weights.length, `have ${weights.length} entries, one a weight`, members.length);
  weights.forEach((weight, j) => expectNumber(caller, `weights[${j}]`, weight, 0));
  const bounds = members.map((member) => marginBounds(caller, member));
  const { norm } = bounds[0]![0]!;
  const classes = members[0]!.margins.length;
  members.forEach(({ margins }, j) => {
    expectArgument(caller, `members[${j}].margins`, margins.length === classes, `have ${classes} entries, as the first`, margins.length);
    expectArgument(caller, `members[${j}].bounds`, bounds[j]![0]!.norm === norm, `be in '${norm}', as the first`, bounds[j]![0]!.norm);
  });
  const rounding = (members.length + 4) * UNIT;
  const margins = Array.from({ length: classes }, (_, b) => {
    const terms = members.map((member, j) => weights[j]! * member.margins[b]!);
    return terms.reduce((sum, term) => sum + term, 0) - rounding * terms.reduce((sum, term) => sum + Math.abs(term), 0);
  });
  const summed = margins.map((_, b): SoundBound => {
    const each = bounds.map((list) => list[b]!);
    const value = roundUp(each.reduce((sum, bound, j) => sum + times(weights[j]!, bound.value), 0), members.length + 4);
    return { value, status: 'upper', norm, domain: commonDomain(each), method: 'weighted-sum' };
  });
  return marginCertificate({ margins, bounds: summed });
}
