import type { Attack } from '@moe/core';
import type { Evaluation, Evidence } from './evaluation.js';

/** What is recorded of an attack. */
export type AttackFacts = Pick<Attack, 'name' | 'access' | 'options'>;

/** Everything that {@link evaluate} learnt so far; plain JSON, saved after each batch. */
export interface Tally {
  readonly ids: readonly number[];
  /** One character per example, `'1'` right. */
  readonly clean: string;
  /** Per attack: one character per example, `'1'` still right. */
  readonly robust: Readonly<Record<string, string>>;
  /** Per attack: length of the perturbation of each attacked example; empty if the attack has no norm. */
  readonly lengths: Readonly<Record<string, readonly number[]>>;
  /** With several draws, in how many of them each example was right; else empty. */
  readonly rights: Evaluation['rights'];
  readonly signs: Evidence;
}

export const emptyTally = (attacks: readonly string[]): Tally => ({
  ids: [],
  clean: '',
  robust: Object.fromEntries(attacks.map((name) => [name, ''])),
  lengths: Object.fromEntries(attacks.map((name) => [name, []])),
  rights: { clean: [], robust: Object.fromEntries(attacks.map((name) => [name, []])) },
  signs: { zeroGradients: [], probabilities: true, logProbabilities: true, outputBits: 1, repeatDifference: 0, batchDifference: 0, mismatches: [], changedWeights: [] },
});

export const countOnes = (flags: string): number => flags.split('1').length - 1;

/** Two tallies of the same attacks as one, in order. */
export function joinTallies(a: Tally, b: Tally): Tally {
  const names = Object.keys(a.robust);
  const { signs: s } = a;
  const { signs: t } = b;
  return {
    ids: [...a.ids, ...b.ids],
    clean: a.clean + b.clean,
    robust: Object.fromEntries(names.map((name) => [name, a.robust[name]! + b.robust[name]!])),
    lengths: Object.fromEntries(names.map((name) => [name, [...a.lengths[name]!, ...b.lengths[name]!]])),
    rights: {
      clean: [...a.rights.clean, ...b.rights.clean],
      robust: Object.fromEntries(names.map((name) => [name, [...a.rights.robust[name]!, ...b.rights.robust[name]!]])),
    },
    signs: {
      zeroGradients: [...s.zeroGradients, ...t.zeroGradients],
      probabilities: s.probabilities && t.probabilities,
      logProbabilities: s.logProbabilities && t.logProbabilities,
      outputBits: Math.max(s.outputBits, t.outputBits),
      repeatDifference: Math.max(s.repeatDifference, t.repeatDifference),
      batchDifference: Math.max(s.batchDifference, t.batchDifference),
      mismatches: [...s.mismatches, ...t.mismatches],
      changedWeights: [...new Set([...s.changedWeights, ...t.changedWeights])].sort(),
    },
  };
}
