/** Everything that {@link evaluate} learnt so far; plain JSON, saved after each batch. */
export interface Tally {
  readonly ids: readonly number[];
  /** One character per example, `'1'` right. */
  readonly clean: string;
  /** Per attack: one character per example, `'1'` still right. */
  readonly robust: Readonly<Record<string, string>>;
  /** Per attack: length of the perturbation of each attacked example; empty if the attack has no norm. */
  readonly lengths: Readonly<Record<string, readonly number[]>>;
  readonly signs: Signs;
}

/** What speaks against trusting the numbers. */
export interface Signs {
  /** Rows right without attack whose input gradient is exactly zero, as ids. */
  readonly zeroGradients: readonly number[];
  /** Whether every row of logits so far lay in [0, 1] and summed to 1. */
  readonly probabilities: boolean;
  /** Largest relative difference of two forward passes over the same batch. */
  readonly repeatDifference: number;
  /** Largest relative difference when rows are run in another company. */
  readonly batchDifference: number;
  /** Attacked rows whose verdict changed when the model was run once more. */
  readonly mismatches: number;
}

export const emptyTally = (attacks: readonly string[]): Tally => ({
  ids: [],
  clean: '',
  robust: Object.fromEntries(attacks.map((name) => [name, ''])),
  lengths: Object.fromEntries(attacks.map((name) => [name, []])),
  signs: { zeroGradients: [], probabilities: true, repeatDifference: 0, batchDifference: 0, mismatches: 0 },
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
    signs: {
      zeroGradients: [...s.zeroGradients, ...t.zeroGradients],
      probabilities: s.probabilities && t.probabilities,
      repeatDifference: Math.max(s.repeatDifference, t.repeatDifference),
      batchDifference: Math.max(s.batchDifference, t.batchDifference),
      mismatches: s.mismatches + t.mismatches,
    },
  };
}
