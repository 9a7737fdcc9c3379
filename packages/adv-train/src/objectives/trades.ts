// Shapes: B batch, M classes.
import { type Scalar, addN, mean, mul } from '@tensorflow/tfjs-core';
import { type Attack, expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import { type AdversarialOptions, type AttackRecord, attackRecord, attackedInputs, expectAdversarialOptions, expectTrainingAttack } from './attacked-inputs.js';
import { crossEntropy } from './classification-loss.js';
import { klDivergence } from './kl-divergence.js';
import type { SingleObjective } from './objective.js';

/** Options of {@link trades}. */
export interface TradesOptions extends AdversarialOptions {
  /** Makes the inputs whose predictions are compared with the clean ones, e.g. `pgd({ …, loss: 'kl', start: 'normal', goal: 'lastStep' })` of `@moe/attacks`. */
  readonly attack: Attack;
  /** Weight of the divergence, 1/λ in the paper. @defaultValue 6 (Zhang et al. 2019, CIFAR-10) */
  readonly beta?: number;
  /** Factor of the balance losses of the attacked batch, added to those of the clean one. @defaultValue 0 */
  readonly auxWeight?: number;
  /**
   * Reproduces the released code, which runs the clean batch twice, once for each summand: with batch norm the running statistics move three times a step, and a randomised model
   * draws noise anew for each pass. @defaultValue false
   */
  readonly legacy?: boolean;
}

/** What of {@link TradesOptions} is recorded. */
export interface TradesRecord extends Required<Omit<TradesOptions, 'attack'>> {
  readonly attack: AttackRecord;
}

/**
 * TRADES: cross-entropy on the clean batch, plus how far the attack moves its predictions.
 *
 * @remarks
 * `CE(f(x), y) + β/B · Σ KL(p(x) ‖ p(x'))`, eq. (5) of Zhang et al.; the gradient flows into both arguments of the divergence, while the attack with `loss: 'kl'` holds the clean predictions
 * constant. Two training passes a step, with the same router noise in both, each of which moves the running statistics. Smoothing of labels concerns the cross-entropy, as in Gowal et al.
 *
 * The released attack for CIFAR-10 is `pgd({ eps: 0.031, steps: 10, stepSize: 0.007, loss: 'kl', start: 'normal', goal: 'lastStep' })` with `batchNorm: 'running'`; in L2 the same with
 * `norm: 'L2'` and `stepSize: 2 * eps / steps`. Differs from it in L2: ball and box are projected onto at once, and a row without gradient stays instead of moving at random.
 * Gowal et al. attack from a `'uniform'` start with `'batch'` and smooth labels by 0.1.
 *
 * @throws {@link ArgumentError} if the attack or the mode is missing, the attack leaves rows clean that are already wrong, or a number is out of range.
 * @see {@link https://arxiv.org/abs/1901.08573 | Zhang et al. 2019}; {@link https://arxiv.org/abs/2010.03593 | Gowal et al. 2020}.
 *
 * @example
 * const objective = trades({ attack: pgd({ eps, steps: 10, loss: 'kl', start: 'normal', goal: 'lastStep' }), batchNorm: 'running' });
 */
export function trades(options: TradesOptions): SingleObjective<TradesRecord> {
  expectKnownKeys('trades', options, ['attack', 'batchNorm', 'beta', 'labelSmoothing', 'auxWeight', 'legacy']);
  const { attack, batchNorm, beta = 6, labelSmoothing = 0, auxWeight = 0, legacy = false } = options;
  expectTrainingAttack('trades', attack);
  expectAdversarialOptions('trades', { batchNorm, labelSmoothing, auxWeight });
  expectNumber('trades', 'beta', beta, 0);
  expectArgument('trades', 'legacy', typeof legacy === 'boolean', 'be true or false', legacy);
  return {
    name: 'trades',
    options: { attack: attackRecord(attack), batchNorm, beta, labelSmoothing, auxWeight, legacy },
    perturb: attackedInputs(attack, batchNorm),
    loss: (model, inputs, { inputs: cleanInputs, labels }, { batchRng }) => {
      const pass = (on: typeof inputs, noise: string) => model.forward(on, { training: true, rng: batchRng.stream(legacy ? noise : 'forward') });
      const clean = pass(cleanInputs, 'forward');
      const attacked = pass(inputs, 'attacked');
      const target = legacy ? pass(cleanInputs, 'target') : clean;
      const ce = crossEntropy(clean.logits, labels, { labelSmoothing });
      const kl = mul(mean(klDivergence(target.logits, attacked.logits)), beta) as Scalar;
      const aux = addN([clean.auxLoss, mul<Scalar>(attacked.auxLoss, auxWeight)]);
      return { total: addN([ce, kl, aux]), terms: { ce, kl, aux }, logits: attacked.logits, routing: attacked.routing };
    },
  };
}
