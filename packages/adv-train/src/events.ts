import type { EpochRecord, RoutingFinding } from './history.js';
import type { ValidationRecord } from './validation/validation.js';

/** Something that happened in {@link train}. `epoch` and `step` count from 0. */
export type TrainEvent =
  | {
      readonly type: 'step';
      readonly epoch: number;
      readonly step: number;
      /** Steps of an epoch. */
      readonly steps: number;
      readonly learningRate: number;
      /** L2 norm of the gradient of all weights together before it is clipped; `undefined` where the step only accumulates, the mean where it made several updates. */
      readonly gradientNorm: number | undefined;
      readonly loss: number;
      /** Summands of the loss by name, e.g. `{ ce, aux }`. */
      readonly terms: Readonly<Record<string, number>>;
      /** Share of the batch classified correctly, as it was trained on. */
      readonly accuracy: number;
      /** Estimated time left for the whole run, from the steps of this call. */
      readonly etaMs: number;
    }
  | { readonly type: 'epoch'; readonly record: EpochRecord; readonly epochs: number; readonly etaMs: number }
  | { readonly type: 'alarm'; readonly epoch: number; readonly finding: RoutingFinding }
  | {
      readonly type: 'validation';
      readonly epoch: number;
      readonly validation: ValidationRecord;
      /** Whether no epoch before had a score as high. */
      readonly isBest: boolean;
      /** Whether the run ends here, before its last epoch. */
      readonly endsRun: boolean;
    }
  | {
      readonly type: 'checkpoint';
      /** Epochs finished, and steps finished in the next one. */
      readonly epoch: number;
      readonly step: number;
      readonly bytes: number;
    }
  | {
      readonly type: 'resume';
      /** Epochs finished, and steps finished in the next one. */
      readonly epoch: number;
      readonly step: number;
    };
