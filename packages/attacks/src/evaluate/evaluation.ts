import type { AttackAccess, Bounds, Interval } from '@moe/core';

/** How far a number may be trusted: as it stands, with a doubt that is named, or not at all. */
export type Trust = 'ok' | 'suspect' | 'invalid';

/** A reason not to trust a number. */
export interface Finding {
  readonly id: FindingId;
  readonly severity: Exclude<Trust, 'ok'>;
  /** What was seen, with numbers. */
  readonly message: string;
  /** What to do about it. */
  readonly advice: string;
  /** Ids of the examples where it was seen; empty where it concerns all. */
  readonly examples: readonly number[];
}

/** What {@link evaluate} and {@link diagnose} can find. */
export type FindingId =
  | 'attack-misses-planted'
  | 'batch-dependent'
  | 'black-box-stronger'
  | 'gradient-mismatch'
  | 'half-precision'
  | 'larger-eps-weaker'
  | 'looks-like-log-probabilities'
  | 'looks-like-probabilities'
  | 'lost-by-rounding'
  | 'more-steps-weaker'
  | 'noise-stronger'
  | 'non-deterministic'
  | 'not-converged'
  | 'not-finite'
  | 'silent-success'
  | 'single-step-stronger'
  | 'stronger-attack-weaker'
  | 'transfer-stronger'
  | 'unbounded-survivors'
  | 'unstable-loss'
  | 'verdict-mismatch'
  | 'weights-changed'
  | 'zero-gradient';

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

/** What speaks against trusting the numbers, as it was measured. */
export interface Evidence {
  /** Ids of examples right without attack whose input gradient is exactly zero. */
  readonly zeroGradients: readonly number[];
  /** Whether every row of the output lay in [0, 1] and summed to 1. */
  readonly probabilities: boolean;
  /** Whether every row of the output was the logarithm of such a row. */
  readonly logProbabilities: boolean;
  /** Most significant bits of any output; 24 in float32. */
  readonly outputBits: number;
  /** Largest relative difference of two forward passes over the same batch. */
  readonly repeatDifference: number;
  /** Largest relative difference when rows are run in another company. */
  readonly batchDifference: number;
  /** Ids of attacked examples whose verdict changed when the model was run once more. */
  readonly mismatches: readonly number[];
  /** Names of tfjs variables whose values were others after the evaluation than before. */
  readonly changedWeights: readonly string[];
}

/** Outcome of {@link evaluate}; plain JSON, the same for the same seed, whatever the batch size, shards or interruptions. */
export interface Evaluation {
  readonly schema: 'moe.evaluation/1';
  readonly data: { readonly name: string; readonly split: string; readonly length: number; readonly bounds: Bounds };
  readonly modelId: string;
  readonly seed: number;
  /** Draws of the model's noise behind every verdict. */
  readonly draws: number;
  /** Name of the tfjs engine. */
  readonly engine: string;
  /** Versions of the packages that decide the numbers, by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** Which part of the examples this is, `'i/n'`; null for all of them. */
  readonly shard: string | null;
  /** Number of examples evaluated. */
  readonly examples: number;
  readonly clean: CleanResult;
  /** Each attack by itself, against every example that is right without attack. */
  readonly attacks: readonly AttackResult[];
  /** Examples that no attack fooled. */
  readonly worstCase: RobustResult;
  /** Examples that were right in every draw, without attack and under every one; `worstCase` for one draw. */
  readonly everyDraw: RobustResult;
  /** In the order in which the examples were evaluated. */
  readonly flags: {
    /** Index of each example in the data set. */
    readonly ids: readonly number[];
    readonly clean: Flags;
    /** Per attack, by name. */
    readonly robust: Readonly<Record<string, Flags>>;
  };
  /** With several draws, in how many of them each example was right, in order: without attack, and per attack by name; else empty. */
  readonly rights: { readonly clean: readonly number[]; readonly robust: Readonly<Record<string, readonly number[]>> };
  /** Per attack, by name: length of the perturbation of each example that is right without attack, in order; empty if the attack has no norm. */
  readonly perturbations: Readonly<Record<string, readonly number[]>>;
  readonly evidence: Evidence;
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
