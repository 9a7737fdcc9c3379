// Shapes: B batch.
import { add, clipByValue, sub, tensor, tidy } from '@tensorflow/tfjs-core';
import { type Attack, type Bounds, type Compile, expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import { fgsm } from '@moe/attacks';
import { type AdversarialOptions, attackedInputs, expectAdversarialOptions } from './attacked-inputs.js';
import { classificationLoss } from './classification-loss.js';
import type { SingleObjective } from './objective.js';

/** Options of {@link fastAdversarial}. */
export interface FastAdversarialOptions extends AdversarialOptions {
  /** Radius of the L-inf ball, in input units. */
  readonly eps: number;
  /** Length of the step, in input units. @defaultValue 1.25 · eps (Wong et al. 2020); eps with `legacy` */
  readonly stepSize?: number;
  /** Range of valid inputs. @defaultValue [0, 1] */
  readonly bounds?: Bounds;
  /** Factor of the model's balance losses, which are those of the attacked batch. @defaultValue 1 */
  readonly auxWeight?: number;
  /** Compiles the passes of the attack, as in `fgsm` of `@moe/attacks`; no part of what is recorded. Not with `legacy`. @defaultValue passes run as they are */
  readonly compile?: Compile;
  /**
   * Reproduces the code released with *Robust Experts*, which takes the gradient at a random start and then applies the step to the clean input: FGSM training with a noisy gradient.
   * @defaultValue false
   */
  readonly legacy?: boolean;
}

/** What of {@link FastAdversarialOptions} is recorded. */
export type FastAdversarialRecord = Required<Omit<FastAdversarialOptions, 'compile'>>;

/** FGSM with the gradient at another point of the ball: that of a model which is shifted row by row. */
function withDiscardedStart(attack: Attack, eps: number, [low, high]: Bounds): Attack {
  return {
    ...attack,
    perturb: (model, inputs, labels, context) =>
      tidy(() => {
        const rows = labels.size;
        const size = inputs.size / rows;
        const noise = new Float32Array(inputs.size);
        for (let row = 0; row < rows; row++) {
          const draws = context.rng.stream('discarded start').at(context.exampleIds?.[row] ?? row);
          noise.set(draws.uniform(size, -eps, eps), row * size);
        }
        const shift = sub(clipByValue(add(inputs, tensor(noise, inputs.shape)), low, high), inputs);
        return { ...attack.perturb((x, draw) => model(add(x, shift), draw), inputs, labels, context) };
      }),
  };
}

/**
 * Fast adversarial training: {@link pgdAdversarial} with FGSM from a random start.
 *
 * @remarks
 * `x' = Π(x + η + 1.25 ε · sign(∇_x CE(f(x + η), y)))`, η uniform in the ball, Alg. 3 of Wong et al.; one step a row, also for rows that are wrong already. Such training may fail at once: accuracy under
 * FGSM rises while accuracy under PGD falls to 0 (catastrophic overfitting). {@link overfittingGuard} watches for it.
 *
 * Wong et al. train 15 epochs on CIFAR-10 with eps 8/255, `'batch-updating'`, weight decay 5e-4 and a learning rate that rises to 0.2 and falls to 0.
 *
 * @throws {@link ArgumentError} if `eps` or the mode is missing, a number is out of range, or `legacy` is to be compiled.
 * @see {@link https://arxiv.org/abs/2001.03994 | Wong et al. 2020}.
 *
 * @example
 * const objective = fastAdversarial({ eps: 8 / 255, batchNorm: 'running' });
 */
export function fastAdversarial(options: FastAdversarialOptions): SingleObjective<FastAdversarialRecord> {
  expectKnownKeys('fastAdversarial', options, ['eps', 'stepSize', 'bounds', 'batchNorm', 'labelSmoothing', 'auxWeight', 'compile', 'legacy']);
  const { eps, bounds = [0, 1], batchNorm, labelSmoothing = 0, auxWeight = 1, compile, legacy = false } = options;
  expectNumber('fastAdversarial', 'eps', eps, 0);
  expectArgument('fastAdversarial', 'legacy', typeof legacy === 'boolean', 'be true or false', legacy);
  const { stepSize = legacy ? eps : 1.25 * eps } = options;
  expectNumber('fastAdversarial', 'stepSize', stepSize, 0);
  expectAdversarialOptions('fastAdversarial', { batchNorm, labelSmoothing, auxWeight });
  expectArgument('fastAdversarial', 'compile', compile === undefined || !legacy, 'be left out with legacy', compile, 'What it attacks is another function at each step.');
  const attack = fgsm({ eps, stepSize, bounds, start: legacy ? 'none' : 'uniform', goal: 'lastStep', ...(compile !== undefined && { compile }) });
  return {
    name: 'fast-adversarial',
    options: { eps, stepSize, bounds, batchNorm, labelSmoothing, auxWeight, legacy },
    perturb: attackedInputs(legacy ? withDiscardedStart(attack, eps, bounds) : attack, batchNorm),
    loss: (model, inputs, { labels }, { batchRng }) => classificationLoss(model, inputs, labels, batchRng.stream('forward'), { labelSmoothing, auxWeight }),
  };
}
