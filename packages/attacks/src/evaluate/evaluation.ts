import type { AttackAccess, Bounds, Interval } from '@moe/core';

/** How far a number may be trusted: as it stands, with a doubt that is named, or not at all. */
export type Trust = 'ok' | 'suspect' | 'invalid';

/** A reason not to trust a number. */
export interface Finding {
  readonly id: 'batch-dependent' | 'looks-like-probabilities' | 'non-deterministic' | 'stronger-attack-weaker' | 'verdict-mismatch' | 'zero-gradient';
  readonly severity: Exclude<Trust, 'ok'>;
  /** What was seen, with numbers. */
  readonly message: string;
  /** What to do about it. */
  readonly advice: string;
}

/** How many examples are right without attack. */
export interface CleanResult {
  /** Number of examples. */
  readonly correct: number;
  /** Share of all examples, in `[0, 1]`. */
  readonly accuracy: number;
  /** Wilson interval at 95 %. */
  readonly interval: Interval;
}

/** How many examples are right without attack and stay right under it. */
export interface RobustResult {
  /** Number of examples. */
  readonly robust: number;
  /** Share of all examples, in `[0, 1]`. */
  readonly robustAccuracy: number;
  /** Wilson interval at 95 %. */
  readonly interval: Interval;
}

export interface AttackResult extends RobustResult {
  readonly name: string;
  readonly access: AttackAccess;
  readonly options: object;
  /** Mean length of the perturbation over the attacked examples, in the attack's norm; null if there is no such norm or example. */
  readonly meanPerturbation: number | null;
}

/** One character per example: `'1'` right, `'0'` wrong. */
export type Flags = string;

/** Outcome of {@link evaluate}; plain JSON, the same for the same seed, whatever the batch size or interruptions. */
export interface Evaluation {
  readonly schema: 'moe.evaluation/1';
  readonly data: { readonly name: string; readonly split: string; readonly length: number; readonly bounds: Bounds };
  readonly modelId: string;
  readonly seed: number;
  /** Number of examples evaluated. */
  readonly examples: number;
  readonly clean: CleanResult;
  /** Each attack by itself, against every example that is right without attack. */
  readonly attacks: readonly AttackResult[];
  /** Examples that no attack fooled. */
  readonly worstCase: RobustResult;
  /** In the order in which the examples were evaluated. */
  readonly flags: {
    /** Index of each example in the data set. */
    readonly ids: readonly number[];
    readonly clean: Flags;
    /** Per attack, by name. */
    readonly robust: Readonly<Record<string, Flags>>;
  };
  readonly findings: readonly Finding[];
  /** The worst severity among the findings. */
  readonly trust: Trust;
}

/** What {@link evaluate} tells while it runs. */
export interface EvaluationEvent {
  readonly phase: 'clean' | 'attack' | 'done';
  /** Name of the running attack; undefined in the other phases. */
  readonly attack: string | undefined;
  /** Examples behind the number in `robustSoFar`. */
  readonly done: number;
  readonly total: number;
  /** Share of those that are right, under `attack` where there is one; 0 before the first. */
  readonly robustSoFar: number;
  /** How much of the whole work is done, in `[0, 1]`. */
  readonly fraction: number;
  /** Estimate of the time left; undefined until something was measured. */
  readonly etaMs: number | undefined;
}
