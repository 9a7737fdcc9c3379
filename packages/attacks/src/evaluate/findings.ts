import type { Finding, Trust } from './evaluation.js';
import { type Tally, countOnes } from './tally.js';
import type { Attack } from '@moe/core';

const REPEAT_TOLERANCE = 1e-4; // AutoAttack checks.py, difference of normalised logits
const WEAKER_MARGIN = 0.01; // one point of accuracy

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Kind of an attack, `'pgd'` for a PGD with any label. */
const kindOf = ({ name }: Attack): string => name.split(':')[0]!;

/** Whether two attacks search the same ball, so that their numbers can be compared. */
function sameBall(a: Attack, b: Attack): boolean {
  const ball = ({ options }: Attack): string => {
    const { norm, eps, bounds } = options as { norm?: unknown; eps?: unknown; bounds?: unknown };
    return JSON.stringify([norm, eps, bounds]);
  };
  return ball(a) === ball(b);
}

/** Reasons not to trust the numbers in a tally. */
export function findingsOf(tally: Tally, attacks: readonly Attack[]): Finding[] {
  const examples = tally.clean.length;
  const { zeroGradients, probabilities, repeatDifference, batchDifference, mismatches } = tally.signs;
  const findings: Finding[] = [];
  const add = (id: Finding['id'], severity: Finding['severity'], message: string, advice: string): void => {
    findings.push({ id, severity, message, advice });
  };

  if (probabilities) {
    add('looks-like-probabilities', 'invalid', 'Every row of the output lies in [0, 1] and sums to 1.', 'Pass logits: remove the softmax, which hides gradients.');
  }
  if (repeatDifference > REPEAT_TOLERANCE) {
    const message = `Two forward passes over the same batch differ by ${repeatDifference.toExponential(1)}, relative.`;
    add('non-deterministic', 'invalid', message, 'Switch off dropout and router noise, or attack the expectation over the noise.');
  }
  if (batchDifference > REPEAT_TOLERANCE) {
    const message = `An example's logits change by ${batchDifference.toExponential(1)}, relative, with the rest of its batch.`;
    add('batch-dependent', 'suspect', message, 'Use running statistics in batch norm and lift expert capacity in evaluation.');
  }
  const correct = countOnes(tally.clean);
  if (zeroGradients.length > 0 && attacks.some(({ access }) => access === 'gradient')) {
    const share = zeroGradients.length / Math.max(1, correct);
    const message = `The input gradient is exactly zero for ${zeroGradients.length} of ${correct} correctly classified examples, e.g. ${zeroGradients.slice(0, 3).join(', ')}.`;
    add('zero-gradient', share > WEAKER_MARGIN ? 'invalid' : 'suspect', message, 'Gradient attacks see nothing there: relax hard gates or quantisation in the backward pass, or add a score-based attack.');
  }
  if (mismatches > 0) {
    add('verdict-mismatch', 'suspect', `${mismatches} verdicts changed when the model was run again on the attacked inputs.`, 'The model is noisy or depends on the batch; repeat the evaluation with batchSize 1.');
  }
  const accuracy = (attack: Attack): number => countOnes(tally.robust[attack.name]!) / Math.max(1, examples);
  for (const stronger of attacks.filter((attack) => kindOf(attack) === 'apgd')) {
    for (const weaker of attacks.filter((attack) => kindOf(attack) === 'pgd' && sameBall(attack, stronger))) {
      if (accuracy(stronger) <= accuracy(weaker) + WEAKER_MARGIN + 1e-12) continue;
      const message = `${stronger.name} leaves ${percent(accuracy(stronger))} robust, the weaker ${weaker.name} ${percent(accuracy(weaker))}.`;
      add('stronger-attack-weaker', 'invalid', message, 'Gradients mislead the attack; give it more steps and restarts, and look for masked gradients.');
    }
  }
  return findings;
}

export function trustOf(findings: readonly Finding[]): Trust {
  if (findings.some(({ severity }) => severity === 'invalid')) return 'invalid';
  return findings.length > 0 ? 'suspect' : 'ok';
}
