import { expectNumber } from '@moe/core';

/**
 * Adjusts p-values of several tests made at once, by Holm's step-down method: compare the results with the usual level.
 *
 * @param pValues - one a test, each in [0, 1].
 * @returns Adjusted p-values, in the same order.
 * @throws {@link ArgumentError} if a p-value is not in [0, 1].
 * @see {@link https://www.jstor.org/stable/4615733 | Holm 1979}.
 *
 * @example
 * ```ts
 * import { holm } from '@moe/report';
 *
 * console.log(holm([0.01, 0.04, 0.03])); // [ 0.03, 0.06, 0.06 ]
 * ```
 */
export function holm(pValues: readonly number[]): readonly number[] {
  pValues.forEach((p, index) => expectNumber('holm', `pValues[${index}]`, p, 0, 1));
  const order = pValues.map((_, index) => index).sort((i, j) => pValues[i]! - pValues[j]!);
  const adjusted = new Array<number>(pValues.length);
  let largest = 0;
  order.forEach((index, rank) => {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * pValues[index]!));
    adjusted[index] = largest;
  });
  return adjusted;
}
