import { comparisonsOf, sameBall } from './comparisons.js';
import type { Finding, FindingId, Trust } from './evaluation.js';
import { type AttackFacts, type Tally, countOnes } from './tally.js';

const REPEAT_TOLERANCE = 1e-4; // AutoAttack checks.py, difference of normalised logits
const SIXTEEN_BIT_FORMATS = [8, 11]; // bfloat16 and half precision
const WEAKER_MARGIN = 0.01; // one point of accuracy

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const ADVICE = {
  'larger-eps-weaker': 'A larger ball holds the smaller one: gradients mislead the attack. Give it more steps and restarts, and look for masked gradients.',
  'more-steps-weaker': 'More work never hurts an attack that keeps its best point: look for randomness in the model or the attack.',
  'single-step-stronger': 'Gradients mislead the attack after its first step: look for masked gradients.',
  'stronger-attack-weaker': 'Gradients mislead the attack; give it more steps and restarts, and look for masked gradients.',
} as const;

/** Reasons not to trust the numbers in a tally. */
export function findingsOf(tally: Tally, attacks: readonly AttackFacts[]): Finding[] {
  const examples = tally.clean.length;
  const { zeroGradients, probabilities, logProbabilities, outputBits, repeatDifference, batchDifference, mismatches, changedWeights } = tally.signs;
  const findings: Finding[] = [];
  const add = (id: FindingId, severity: Finding['severity'], message: string, advice: string, where: readonly number[] = []): void => {
    findings.push({ id, severity, message, advice, examples: where });
  };

  if (probabilities) {
    add('looks-like-probabilities', 'invalid', 'Every row of the output lies in [0, 1] and sums to 1.', 'Pass logits: remove the softmax, which hides gradients.');
  }
  if (logProbabilities) {
    add('looks-like-log-probabilities', 'suspect', 'Every row of the output is the logarithm of probabilities.', 'Pass what enters the softmax: its logarithm rounds small probabilities away.');
  }
  // Of many outputs one has all the bits of its format.
  if (SIXTEEN_BIT_FORMATS.includes(outputBits)) {
    add('half-precision', 'suspect', `Outputs have ${outputBits} significant bits, as in a 16-bit format.`, 'Evaluate with 32 bits: the signs of small gradients drown in rounding.');
  }
  if (repeatDifference > REPEAT_TOLERANCE) {
    const message = `Two forward passes over the same batch differ by ${repeatDifference.toExponential(1)}, relative.`;
    add('non-deterministic', 'invalid', message, 'Switch off dropout and router noise, or take the noise from the second argument of the model, attack with withEot and judge with draws.');
  }
  if (batchDifference > REPEAT_TOLERANCE) {
    const message = `An example's logits change by ${batchDifference.toExponential(1)}, relative, with the rest of its batch.`;
    add('batch-dependent', 'suspect', message, 'Use running statistics in batch norm and lift expert capacity in evaluation.');
  }
  if (changedWeights.length > 0) {
    const message = `${changedWeights.length} variables changed during the evaluation, e.g. ${changedWeights.slice(0, 3).join(', ')}.`;
    add('weights-changed', 'invalid', message, 'Run the model in evaluation mode (training: false); no forward pass may move running statistics or weights.');
  }
  const correct = countOnes(tally.clean);
  if (zeroGradients.length > 0 && attacks.some(({ access }) => access === 'gradient')) {
    const share = zeroGradients.length / Math.max(1, correct);
    const message = `The input gradient is exactly zero for ${zeroGradients.length} of ${correct} correctly classified examples, e.g. ${zeroGradients.slice(0, 3).join(', ')}.`;
    const advice = 'Gradient attacks see nothing there: relax hard gates or quantisation in the backward pass, or add a score-based attack.';
    add('zero-gradient', share > WEAKER_MARGIN ? 'invalid' : 'suspect', message, advice, zeroGradients);
  }
  if (mismatches.length > 0) {
    const message = `${mismatches.length} verdicts changed when the model was run again on the attacked inputs.`;
    add('verdict-mismatch', 'suspect', message, 'The model is noisy or depends on the batch; repeat the evaluation with batchSize 1.', mismatches);
  }
  const accuracy = ({ name }: AttackFacts): number => countOnes(tally.robust[name]!) / Math.max(1, examples);
  for (const { id, weaker, stronger } of comparisonsOf(attacks)) {
    if (accuracy(stronger) <= accuracy(weaker) + WEAKER_MARGIN) continue;
    const message = `${stronger.name} leaves ${percent(accuracy(stronger))} robust, the weaker ${weaker.name} ${percent(accuracy(weaker))}.`;
    add(id, 'invalid', message, ADVICE[id], onlyFooledBy(tally, weaker, [stronger]));
  }
  for (const blind of attacks.filter(({ access }) => access !== 'gradient')) {
    const seeing = attacks.filter((attack) => attack.access === 'gradient' && sameBall(attack, blind));
    const where = seeing.length === 0 ? [] : onlyFooledBy(tally, blind, seeing);
    if (where.length === 0) continue;
    const message = `${blind.name} sees no gradient and fools ${where.length} of ${examples} examples that withstand every gradient attack in its ball.`;
    const advice = 'Gradients hide what is there: do not quote what gradient attacks leave, look for masked gradients.';
    add('black-box-stronger', where.length > WEAKER_MARGIN * examples ? 'invalid' : 'suspect', message, advice, where);
  }
  return findings;
}

/** Ids of the examples that one attack fools and no other of a list. */
function onlyFooledBy({ ids, clean, robust }: Tally, attack: AttackFacts, others: readonly AttackFacts[]): number[] {
  return ids.filter((_, i) => clean[i] === '1' && robust[attack.name]![i] === '0' && others.every(({ name }) => robust[name]![i] === '1'));
}

export function trustOf(findings: readonly Finding[]): Trust {
  if (findings.some(({ severity }) => severity === 'invalid')) return 'invalid';
  return findings.length > 0 ? 'suspect' : 'ok';
}
