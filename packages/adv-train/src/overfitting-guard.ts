// Shapes: B batch.
import { tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';
import { AbortedError, type Attack, type Batch, type MoeModel, createRng, expectArgument, expectInteger, expectKnownKeys, expectNumber } from '@moe/core';
import { fgsm, pgd } from '@moe/attacks';
import type { TrainEvent } from './events.js';

/** Options of {@link overfittingGuard}. */
export interface OverfittingGuardOptions {
  readonly model: MoeModel;
  /** Training examples to attack; the same at each check. */
  readonly batch: Batch;
  /** Radius of the L-inf ball of the default attacks, in input units. */
  readonly eps: number;
  /** @defaultValue `fgsm({ eps })` */
  readonly fast?: Attack;
  /** @defaultValue `pgd({ eps, steps: 10 })` */
  readonly strong?: Attack;
  /** Largest accuracy under the fast attack less that under the strong one. @defaultValue 0.2 (Wong et al. 2020, who compare with the epoch before) */
  readonly maxGap?: number;
  /** Steps between checks within an epoch; there is one at the end of each epoch in any case. @defaultValue none */
  readonly every?: number;
  /** Decides where attacks start. @defaultValue 0 */
  readonly seed?: number;
}

/** What one check found. */
export interface OverfittingCheck {
  /** Epochs finished, and steps finished in the next one. */
  readonly epoch: number;
  readonly step: number;
  /** Share of the batch that is classified correctly under each attack. */
  readonly fast: number;
  readonly strong: number;
}

/** A watch over a run of `train`, see {@link overfittingGuard}. */
export interface OverfittingGuard {
  /** Fires when a check fails; pass it to `train`. */
  readonly signal: AbortSignal;
  /** Checks when its time has come; to be called with each event of the run. */
  onEvent(event: TrainEvent): void;
  /** All checks so far. */
  readonly checks: readonly OverfittingCheck[];
}

/**
 * Stops training that has learnt to resist one step of an attack but no more (catastrophic overfitting, which {@link fastAdversarial} is prone to).
 *
 * @remarks
 * Compares accuracies under a fast and a strong attack on one slice of training data, in evaluation mode. `train` then throws an `AbortedError` with the finding as its cause; the failed weights
 * are in the model and in the checkpoint, and a resumed run is checked where it was stopped, so that it stops again. To go on with another objective, call `train` anew with it and another
 * checkpoint. Differs from Wong et al., who stop when accuracy under PGD falls by 0.2 from one epoch to the next: here each check stands alone, and the same after a resume.
 *
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/2001.03994 | Wong et al. 2020}, on catastrophic overfitting.
 *
 * @example
 * const guard = overfittingGuard({ model, batch: await dataset.read([0, 1, 2, 3]), eps: 8 / 255 });
 * await train({ …, objective: fastAdversarial({ eps: 8 / 255, batchNorm: 'running' }), signal: guard.signal, onEvent: guard.onEvent });
 */
export function overfittingGuard(options: OverfittingGuardOptions): OverfittingGuard {
  expectKnownKeys('overfittingGuard', options, ['model', 'batch', 'eps', 'fast', 'strong', 'maxGap', 'every', 'seed']);
  const { model, batch, eps, maxGap = 0.2, every, seed = 0 } = options;
  expectArgument('overfittingGuard', 'model', typeof model?.forward === 'function', 'be a MoeModel', model, 'Lift a function with plainModel(fn).');
  expectNumber('overfittingGuard', 'eps', eps, 0);
  expectNumber('overfittingGuard', 'maxGap', maxGap, 0, 1);
  if (every !== undefined) expectInteger('overfittingGuard', 'every', every, 1);
  expectInteger('overfittingGuard', 'seed', seed, 0);
  const { fast = fgsm({ eps }), strong = pgd({ eps, steps: 10 }) } = options;
  const controller = new AbortController();
  const checks: OverfittingCheck[] = [];

  const accuracyUnder = (attack: Attack): number =>
    tidy(() => {
      const context = { rng: createRng(seed), exampleIds: batch.ids };
      const { success } = attack.perturb((inputs) => model.forward(inputs).logits, tensor(batch.inputs, [...batch.shape]), tensor1d(batch.labels, 'int32'), context);
      const fooled = Array.from(success.dataSync());
      return fooled.filter((flag) => flag === 0).length / fooled.length;
    });

  const check = (epoch: number, step: number): void => {
    const found = { epoch, step, fast: accuracyUnder(fast), strong: accuracyUnder(strong) };
    checks.push(found);
    if (found.fast - found.strong <= maxGap) return;
    controller.abort(
      new AbortedError(
        `overfittingGuard: accuracy under ${fast.name} must be at most ${maxGap} above that under ${strong.name}, got ${found.fast} and ${found.strong} after epoch ${epoch}, step ${step}. ` +
          'Train with more steps, a smaller step or a lower learning rate.',
      ),
    );
  };

  return {
    signal: controller.signal,
    checks,
    onEvent: (event) => {
      if (event.type === 'epoch') check(event.record.epoch + 1, 0);
      if (event.type === 'step' && event.step + 1 < event.steps && (event.step + 1) % (every ?? Infinity) === 0) check(event.epoch, event.step + 1);
      // Where the run that goes on was checked too, and nowhere else.
      if (event.type === 'resume' && (event.step === 0 ? event.epoch > 0 : event.step % (every ?? Infinity) === 0)) check(event.epoch, event.step);
    },
  };
}
