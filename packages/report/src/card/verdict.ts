import { interval, percent } from '../table/format.js';
import { type RobustnessCardOptions, doubtsOf } from './card-input.js';

/** Findings that say that attacks fail, not that the model withstands them. */
const MASKED = new Set([
  'attack-misses-planted',
  'black-box-stronger',
  'larger-eps-weaker',
  'noise-stronger',
  'single-step-stronger',
  'stronger-attack-weaker',
  'transfer-stronger',
  'unbounded-survivors',
  'zero-gradient',
]);

/**
 * One sentence on what an evaluation is worth: a number, a number with doubts, a model that only looks robust, or no number.
 *
 * @example
 * ```ts
 * import { robustnessVerdict } from '@moe/report';
 *
 * const interval = { low: 0.3, high: 0.5 };
 * const result = { robustAccuracy: 0.4, interval };
 * const evaluation = { data: { name: 'digits', split: 'test' }, modelId: '', seed: 1, engine: 'cpu', versions: {}, examples: 100, clean: { accuracy: 0.9, interval }, attacks: [], worstCase: result, findings: [] };
 * console.log(robustnessVerdict({ evaluation })); // Robust accuracy is at most 40.0 % [30.0, 50.0] …
 * ```
 */
export function robustnessVerdict({ evaluation, diagnosis }: Pick<RobustnessCardOptions, 'evaluation' | 'diagnosis'>): string {
  const { robustAccuracy, interval: { low, high } } = evaluation.worstCase;
  const number = `${percent(robustAccuracy)} ${interval(low, high)}`;
  const doubts = doubtsOf({ evaluation, ...(diagnosis === undefined ? {} : { diagnosis }) });
  const fatal = doubts.filter(({ severity }) => severity === 'invalid');
  const masked = fatal.find(({ id }) => MASKED.has(id));
  if (masked !== undefined && robustAccuracy > 0) {
    return `This model only looks robust. The attacks leave ${number}, but because they fail, not because the model withstands: ${masked.message}`;
  }
  if (fatal[0] !== undefined) return `There is no valid number. ${fatal[0].message}`;
  const bound = `Robust accuracy is at most ${number}: stronger attacks may find more.`;
  if (doubts.length === 0) return `${bound} No check found a reason to doubt it.`;
  return `${bound} It is in doubt: ${doubts[0]!.message}`;
}
