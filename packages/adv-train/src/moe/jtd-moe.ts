// Shapes: B batch.
import { type Scalar, add, tidy } from '@tensorflow/tfjs-core';
import { type Attack, type MoeModel, expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import { type AttackRecord, attackRecord, expectTrainingAttack } from '../objectives/attacked-inputs.js';
import { classificationLoss, crossEntropy } from '../objectives/classification-loss.js';
import type { ObjectiveStep, SteppedObjective } from '../objectives/objective.js';
import { attacked } from './attacked.js';
import { type DualModel, mixLogits } from './dual-model.js';
import { consistencyTerm } from './expert-consistency.js';
import { forwardRng } from './routing-pairs.js';
import { stepWithTerms } from './with-terms.js';

/** Options of {@link jtdMoe}. */
export interface JtdMoeOptions {
  /** Attacks the robust part, and each of its experts by itself, e.g. `pgd({ eps: 8 / 255, stepSize: 2 / 255, steps: 10, goal: 'lastStep' })`; one that does not compile. */
  readonly attack: Attack;
  /** β, the weight of the experts. @defaultValue 6 */
  readonly beta?: number;
}

/** What of {@link JtdMoeOptions} is recorded. */
export interface JtdMoeRecord {
  readonly attack: AttackRecord;
  readonly beta: number;
}

function dualOf(model: MoeModel): DualModel {
  expectArgument('jtdMoe', 'model', 'robust' in model && 'standard' in model, 'be a dual model', 'another', 'Make one with dualModel(standard, robust).');
  return model as DualModel;
}

/**
 * Joint training of a {@link dualModel}: on each batch first the robust part learns to resist, with every one of its experts, then the standard part what the mixture of both lacks.
 *
 * @remarks
 * Two steps. `CE(F_R(x'), y) + β/B Σ_b Σ_i KL(f_i(x_b) ‖ f_i(x''_b))` and F_R's balance losses move the robust part, x' the attack on F_R and x'' that on its expert i alone, both in evaluation mode.
 * `CE(F_D(x), y)` and F_S's balance losses move the standard part, F_R being in evaluation mode. In a robust part of several layers, i goes through all experts of all layers, one at a time.
 *
 * Differs from the released code, which does not clear the gradient of the second step: there it moves the standard part a second time, in the first step of the next batch. That is not offered.
 * The code mixes logits and the paper probabilities; see the option `combine` of {@link dualModel}.
 *
 * Published with α = 0.7, β = 6, 10 steps of 2/255 in 8/255, Adam at 1e-4, batches of 512. Train with the weights of {@link dualWeights}.
 *
 * @throws {@link ArgumentError} if an option is unknown or wrong; its functions throw if the model is not dual, or no layer of its robust part chooses.
 * @see {@link https://arxiv.org/abs/2502.06832 | Zhang et al. 2025}, Sec. 5.
 *
 * @example
 * await train({ model: dualModel(a, b), weights: dualWeights(weightsOfA, weightsOfB), objective: jtdMoe({ attack }), … });
 */
export function jtdMoe(options: JtdMoeOptions): SteppedObjective<JtdMoeRecord> {
  expectKnownKeys('jtdMoe', options, ['attack', 'beta']);
  const { attack, beta = 6 } = options;
  expectTrainingAttack('jtdMoe', attack);
  expectNumber('jtdMoe', 'beta', beta, 0);
  const adversarial: ObjectiveStep = {
    perturb: (model, batch, context) => attacked(attack, (x) => tidy(() => model.forward(x).logits), batch, context, 'attack'),
    loss: (model, inputs, { labels }, context) => classificationLoss(model, inputs, labels, forwardRng(context), { labelSmoothing: 0, auxWeight: 1 }),
  };
  const onRobust = stepWithTerms(adversarial, [consistencyTerm({ caller: 'jtdMoe', attack, experts: 'all', layers: undefined, training: true }, beta)]);
  const robust: ObjectiveStep = {
    moves: (name) => name.startsWith('robust/'),
    perturb: (model, batch, context) => onRobust.perturb!(dualOf(model).robust, batch, context),
    loss: (model, inputs, batch, context) => {
      const loss = onRobust.loss(dualOf(model).robust, inputs, batch, context);
      return { ...loss, routing: loss.routing.map((entry) => ({ ...entry, layer: `robust/${entry.layer}` })) };
    },
  };
  const standard: ObjectiveStep = {
    moves: (name) => name.startsWith('standard/'),
    loss: (model, inputs, { labels }, context) => {
      const dual = dualOf(model);
      const own = dual.standard.forward(inputs, { training: true, rng: forwardRng(context) });
      const logits = mixLogits(dual, own.logits, dual.robust.forward(inputs).logits);
      const ce = crossEntropy(logits, labels);
      const routing = own.routing.map((entry) => ({ ...entry, layer: `standard/${entry.layer}` }));
      return { total: add(ce, own.auxLoss) as Scalar, terms: { 'dual-ce': ce, 'dual-aux': own.auxLoss }, logits, routing };
    },
  };
  return { name: 'jtd-moe', options: { attack: attackRecord(attack), beta }, steps: [robust, standard] };
}
