import { expectKnownKeys, expectNumber } from '@moe/core';
import { expectText } from '../internal/expect.js';
import { percent } from '../table/format.js';

export interface ComparisonOptions {
  readonly a: { readonly name: string; readonly value: number };
  readonly b: { readonly name: string; readonly value: number };
  /** What was measured, e.g. `'PGD-20 accuracy'`. */
  readonly measure: string;
  /** Of a two-sided test; adjusted (see {@link holm}) if several comparisons were made. */
  readonly pValue: number;
  /** Largest p-value that counts as significant. @defaultValue 0.05 */
  readonly level?: number;
}

/**
 * Says in one sentence which of two proportions is higher, or that nothing significant was found.
 *
 * @throws {@link ArgumentError} if a name is empty, or a value or p-value is not in [0, 1].
 *
 * @example
 * ```ts
 * import { describeComparison } from '@moe/report';
 *
 * console.log(describeComparison({ a: { name: 'Expert 2', value: 0.525 }, b: { name: 'the gated model', value: 0.45 }, measure: 'PGD-20 accuracy', pValue: 0.018 }));
 * // Expert 2 has a higher PGD-20 accuracy than the gated model: 52.5 % against 45.0 %, 7.5 points more (p = 0.018).
 * ```
 */
export function describeComparison(options: ComparisonOptions): string {
  expectKnownKeys('describeComparison', options, ['a', 'b', 'measure', 'pValue', 'level']);
  const { a, b, measure, pValue, level = 0.05 } = options;
  expectText('describeComparison', 'measure', measure);
  for (const [key, side] of Object.entries({ a, b })) {
    expectText('describeComparison', `${key}.name`, side.name);
    expectNumber('describeComparison', `${key}.value`, side.value, 0, 1);
  }
  expectNumber('describeComparison', 'pValue', pValue, 0, 1);
  expectNumber('describeComparison', 'level', level, 0, 1);
  const p = pValue < 0.001 ? 'p < 0.001' : `p = ${Number(pValue.toPrecision(2))}`;
  if (pValue > level) {
    return `No significant difference in ${measure} between ${a.name} (${percent(a.value)}) and ${b.name} (${percent(b.value)}), ${p}.`;
  }
  const points = (Math.abs(a.value - b.value) * 100).toFixed(1);
  const [order, amount] = a.value >= b.value ? ['higher', 'more'] : ['lower', 'less'];
  return `${a.name} has a ${order} ${measure} than ${b.name}: ${percent(a.value)} against ${percent(b.value)}, ${points} points ${amount} (${p}).`;
}
