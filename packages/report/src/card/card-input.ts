import type { Interval } from '@moe/core';

/** A reason not to trust a number. */
export interface CardFinding {
  readonly id: string;
  readonly severity: 'suspect' | 'invalid';
  readonly message: string;
  readonly advice: string;
}

/** What a card shows of an evaluation; `evaluate` of `@moe/attacks` returns it. */
export interface CardEvaluation {
  readonly data: { readonly name: string; readonly split: string };
  readonly modelId: string;
  readonly seed: number;
  readonly engine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly examples: number;
  readonly clean: { readonly accuracy: number; readonly interval: Interval };
  readonly attacks: readonly {
    readonly name: string;
    /** Shown are `eps` and `norm`. */
    readonly options: object;
    readonly robustAccuracy: number;
    readonly interval: Interval;
    readonly meanPerturbation: number | null;
  }[];
  readonly worstCase: { readonly robustAccuracy: number; readonly interval: Interval };
  readonly findings: readonly CardFinding[];
}

/** What a card shows of experiments on the model; `diagnose` of `@moe/attacks` returns it. */
export interface CardDiagnosis {
  readonly eps: number;
  readonly norm: string;
  readonly examples: readonly number[];
  /** Numbers by name, null where nothing could be measured. */
  readonly measures: object | null;
  readonly findings: readonly CardFinding[];
}

export interface RobustnessCardOptions {
  /** Name of the model. */
  readonly name: string;
  readonly evaluation: CardEvaluation;
  /** @defaultValue no experiments */
  readonly diagnosis?: CardDiagnosis;
  /** Added to what a reader needs to repeat the run, e.g. the command. */
  readonly meta?: Readonly<Record<string, string | number | boolean>>;
}

/** All reasons for doubt, the worst first. */
export function doubtsOf({ evaluation, diagnosis }: Pick<RobustnessCardOptions, 'evaluation' | 'diagnosis'>): readonly CardFinding[] {
  const all = [...evaluation.findings, ...(diagnosis?.findings ?? [])];
  return [...all.filter(({ severity }) => severity === 'invalid'), ...all.filter(({ severity }) => severity === 'suspect')];
}
