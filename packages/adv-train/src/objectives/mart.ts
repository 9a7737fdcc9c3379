// Shapes: B batch, M classes.
import { type Scalar, type Tensor1D, type Tensor2D, add, addN, argMax, log, logSoftmax, mean, mul, softmax, sub, sum } from '@tensorflow/tfjs-core';
import { type Attack, expectArgument, expectKnownKeys, expectNumber, stopGradient } from '@moe/core';
import { type AdversarialOptions, type AttackRecord, attackRecord, attackedInputs, expectAdversarialOptions, expectTrainingAttack } from './attacked-inputs.js';
import { crossEntropy, oneHotLabels } from './classification-loss.js';
import { klDivergence } from './kl-divergence.js';
import type { SingleObjective } from './objective.js';

/** Options of {@link mart}. */
export interface MartOptions extends Omit<AdversarialOptions, 'labelSmoothing'> {
  /** Makes the training inputs, e.g. `pgd({ …, start: 'normal', goal: 'lastStep' })` of `@moe/attacks`. */
  readonly attack: Attack;
  /** Weight of the divergence, λ in the paper. @defaultValue 5 (Wang et al. 2020; the released function's own default is 6) */
  readonly lambda?: number;
  /** Factor of the model's balance losses, which are those of the attacked batch. @defaultValue 1 */
  readonly auxWeight?: number;
  /**
   * Reproduces the released code, whose guards against log 0 bound the loss: `log(1.0001 − p'_k)`, which is at least ln 0.0001, `log(p' + 1e-12)` and `1.0000001 − p_y`. Routers draw noise anew
   * for each pass. @defaultValue false
   */
  readonly legacy?: boolean;
}

/** What of {@link MartOptions} is recorded. */
export interface MartRecord extends Required<Omit<MartOptions, 'attack'>> {
  readonly attack: AttackRecord;
}

const FAR = 1e9; // far below any logit

/** Wrong class of the highest logit, one-hot `[B,M]`; of equals the first. */
const rivalOf = (logits: Tensor2D, truth: Tensor2D): Tensor2D => stopGradient(oneHotLabels(argMax(sub(logits, mul(truth, FAR)), 1) as Tensor1D, logits.shape[1]));

/** Mean of −log p_y − log(1 − p_k), without cancellation: 1 − p_k is p_y over the share that y has among the classes other than k. */
function boostedCrossEntropy(logits: Tensor2D, labels: Tensor1D, truth: Tensor2D): Scalar {
  const ce = crossEntropy(logits, labels);
  const amongOthers = crossEntropy(sub(logits, mul(rivalOf(logits, truth), FAR)), labels);
  return add(ce, sub(ce, amongOthers));
}

function releasedBoostedCrossEntropy(logits: Tensor2D, labels: Tensor1D, truth: Tensor2D): Scalar {
  const rival = sum(mul(softmax(logits), rivalOf(logits, truth)), 1);
  return sub(crossEntropy(logits, labels), mean(log(add(sub(1.0001, rival), 1e-12)))) as Scalar;
}

/** `KL(p ‖ p' + 1e-12)` of each row, `[B]`. */
function releasedDivergence(before: Tensor2D, after: Tensor2D): Tensor1D {
  return sum(mul(softmax(before), sub(logSoftmax(before), log(add(softmax(after), 1e-12)))), 1);
}

/**
 * MART: cross-entropy and margin on the attacked batch, plus the divergence from the clean predictions, weighted by how wrong these are.
 *
 * @remarks
 * `−log p'_y − log(1 − max_{k≠y} p'_k) + λ · KL(p ‖ p') · (1 − p_y)`, means over the batch; p on clean inputs, p' on attacked ones. The gradient flows through every
 * p. Two training passes a step, with the same router noise in both, each of which moves the running statistics.
 *
 * The released attack for CIFAR-10 is `pgd({ eps: 0.031, steps: 10, stepSize: 0.007, start: 'normal', goal: 'lastStep' })` with `batchNorm: 'running'`.
 *
 * @throws {@link ArgumentError} if the attack or the mode is missing, the attack leaves rows clean that are already wrong, or a number is out of range.
 * @see {@link https://openreview.net/forum?id=rklOg6EFwS | Wang et al. 2020}.
 *
 * @example
 * const objective = mart({ attack: pgd({ eps: 0.031, steps: 10, start: 'normal', goal: 'lastStep' }), batchNorm: 'running' });
 */
export function mart(options: MartOptions): SingleObjective<MartRecord> {
  expectKnownKeys('mart', options, ['attack', 'batchNorm', 'lambda', 'auxWeight', 'legacy']);
  const { attack, batchNorm, lambda = 5, auxWeight = 1, legacy = false } = options;
  expectTrainingAttack('mart', attack);
  expectAdversarialOptions('mart', { batchNorm, labelSmoothing: 0, auxWeight });
  expectNumber('mart', 'lambda', lambda, 0);
  expectArgument('mart', 'legacy', typeof legacy === 'boolean', 'be true or false', legacy);
  const [boosted, divergence, one] = legacy ? [releasedBoostedCrossEntropy, releasedDivergence, 1.0000001] : [boostedCrossEntropy, klDivergence, 1];
  return {
    name: 'mart',
    options: { attack: attackRecord(attack), batchNorm, lambda, auxWeight, legacy },
    perturb: attackedInputs(attack, batchNorm),
    loss: (model, inputs, { inputs: cleanInputs, labels }, { batchRng }) => {
      const pass = (on: typeof inputs, noise: string) => model.forward(on, { training: true, rng: batchRng.stream(legacy ? noise : 'forward') });
      const clean = pass(cleanInputs, 'clean');
      const attacked = pass(inputs, 'forward');
      const truth = oneHotLabels(labels, attacked.logits.shape[1]);
      const bce = boosted(attacked.logits, labels, truth);
      const doubt = sub(one, sum(mul(softmax(clean.logits), truth), 1));
      const kl = mul(mean(mul(divergence(clean.logits, attacked.logits), doubt)), lambda) as Scalar;
      const aux = mul<Scalar>(attacked.auxLoss, auxWeight);
      return { total: addN([bce, kl, aux]), terms: { bce, kl, aux }, logits: attacked.logits, routing: attacked.routing };
    },
  };
}
