// Shapes: B batch.
import '../gradients.js';
import { type Scalar, type Tensor, add, clipByValue, grad, mul, sign, tidy } from '@tensorflow/tfjs-core';
import { type Bounds, type MoeModel, type Rng, expectArgument, expectInteger, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { classificationLoss, crossEntropy } from '../objectives/classification-loss.js';
import type { SingleObjective, TrainingBatch } from '../objectives/objective.js';

const VARIANTS = ['released', 'fixed'] as const;

/** Options of {@link vmoeAdversarialFineTuning}. */
export interface VMoeFineTuningOptions {
  /** Length of all steps together, in input units; V-MoE's inputs are in [-1, 1]. */
  readonly eps: number;
  /** Has no default, because results differ: see {@link vmoeAdversarialFineTuning}. */
  readonly variant: (typeof VARIANTS)[number];
  /** @defaultValue 40, as V-MoE is attacked; 1 to 3 are affordable in training */
  readonly steps?: number;
  /** Whether the attack raises the balance losses as well. @defaultValue false */
  readonly attackAux?: boolean;
  /** Range of valid inputs, for `'fixed'`. @defaultValue [0, 1] */
  readonly bounds?: Bounds;
}

/** What of {@link VMoeFineTuningOptions} is recorded. */
export type VMoeFineTuningRecord = Required<VMoeFineTuningOptions>;

/**
 * Adversarial fine-tuning of *On the Adversarial Robustness of Mixture of Experts*: every batch is replaced by its attack, and trained on with all losses of the model.
 *
 * @remarks
 * Steps of `eps / steps` along the sign of the gradient, from the clean input; each sees the model in training mode with noise of its own, running statistics untouched. Then cross-entropy and balance
 * losses, at the attacked inputs alone. No trace of the paper's own settings is left: its code came with none.
 *
 * - `'released'`: as the code does, so inputs may leave their range by `eps`.
 * - `'fixed'`: clipped to `bounds` at each step.
 *
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/2210.10253 | Puigcerver et al. 2022}, and its code.
 *
 * @example
 * const objective = vmoeAdversarialFineTuning({ eps: 8 / 255, steps: 3, variant: 'fixed' });
 */
export function vmoeAdversarialFineTuning(options: VMoeFineTuningOptions): SingleObjective<VMoeFineTuningRecord> {
  expectKnownKeys('vmoeAdversarialFineTuning', options, ['eps', 'variant', 'steps', 'attackAux', 'bounds']);
  const { eps, variant, steps = 40, attackAux = false, bounds = [0, 1] } = options;
  expectNumber('vmoeAdversarialFineTuning', 'eps', eps, 0);
  expectOneOf('vmoeAdversarialFineTuning', 'variant', variant, VARIANTS);
  expectInteger('vmoeAdversarialFineTuning', 'steps', steps, 1);
  expectArgument('vmoeAdversarialFineTuning', 'bounds', bounds[0] < bounds[1], 'be [low, high] with low < high', [...bounds]);

  const loss = (model: MoeModel, inputs: Tensor, { labels }: TrainingBatch, rng: Rng): Scalar => {
    const { logits, auxLoss } = model.forward(inputs, { training: true, updateStatistics: false, rng });
    const ce = crossEntropy(logits, labels);
    return attackAux ? add<Scalar>(ce, auxLoss) : ce;
  };
  const climb = (model: MoeModel, at: Tensor, batch: TrainingBatch, rng: Rng): Tensor =>
    tidy(() => {
      const moved = add(at, mul(sign(grad((x) => loss(model, x, batch, rng))(at)), eps / steps));
      return variant === 'fixed' ? clipByValue(moved, bounds[0], bounds[1]) : moved;
    });
  return {
    name: 'v-moe-fine-tuning',
    options: { eps, variant, steps, attackAux, bounds },
    perturb: (model, batch, { batchRng }) =>
      tidy(() => {
        let inputs = batch.inputs;
        for (let step = 0; step < steps; step++) {
          const next = climb(model, inputs, batch, batchRng.stream('attacked').at(step));
          if (step > 0) inputs.dispose();
          inputs = next;
        }
        return inputs;
      }),
    loss: (model, inputs, { labels }, { batchRng }) => classificationLoss(model, inputs, labels, batchRng.stream('forward'), { labelSmoothing: 0, auxWeight: 1 }),
  };
}
