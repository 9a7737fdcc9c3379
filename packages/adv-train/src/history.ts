import type { Json } from './checkpoint/fingerprint.js';
import type { ValidationRecord } from './validation/validation.js';

/** What one MoE layer did during an epoch, over all rows that its gate saw. */
export interface RoutingRecord {
  readonly layer: string;
  /** Share of rows that each expert got, `[E]`; sums to the number of choices per row, less what capacity dropped. */
  readonly usage: readonly number[];
  /** Entropy of `usage`, as a share of that of even use: 0 where one expert takes all, 1 where all get the same. */
  readonly loadEntropy: number;
  /** Largest share of the router in the L2 norm of the gradient of all weights, over the steps of the epoch; 0 where no gradient reached it. */
  readonly routerGradient: number;
  /** Mean router probability of each expert, `[E]`; sums to 1. A collapsed layer may still be flat here. */
  readonly meanGate: readonly number[];
  /** Mean weighted balance loss. */
  readonly auxLoss: number;
  /** Mean share of (row, choice) pairs that capacity dropped. */
  readonly droppedFraction: number;
}

/** Something wrong with the routing of an epoch, see {@link RoutingAlarms}. */
export type RoutingFinding =
  | { readonly kind: 'frozen-router'; readonly layer: string; readonly routerGradient: number }
  | { readonly kind: 'routing-collapse'; readonly layer: string; readonly loadEntropy: number; readonly livingExperts: number };

/** Means over the examples of one epoch, as they were trained on: adversarial examples in adversarial training. */
export interface EpochRecord {
  /** From 0. */
  readonly epoch: number;
  /** Rate of the epoch's last step. */
  readonly learningRate: number;
  /** L2 norm of the gradient of all weights together before it is clipped, over the updates of the epoch. */
  readonly gradientNorm: { readonly mean: number; readonly max: number };
  readonly loss: number;
  /** Summands of the loss by name, e.g. `{ ce, aux }`. */
  readonly terms: Readonly<Record<string, number>>;
  /** Share of examples classified correctly in the pass that trained on them. */
  readonly accuracy: number;
  readonly examples: number;
  readonly routing: readonly RoutingRecord[];
  /** Alarms raised; empty where all is well. */
  readonly findings: readonly RoutingFinding[];
  /** What each {@link Observer} saw after the epoch, by its name. */
  readonly observed: { readonly [observer: string]: Json };
  /** What {@link TrainOptions.validation} found after the epoch; missing where it did not look. */
  readonly validation?: ValidationRecord;
}

/** Whole course of a run, plain JSON; the same after any number of interruptions. */
export interface TrainHistory {
  readonly epochs: readonly EpochRecord[];
}
