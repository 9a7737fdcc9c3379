// Shapes: B batch.
import { type Scalar, add, scalar, tidy } from '@tensorflow/tfjs-core';
import { type Attack, type ForwardOptions, type MoeModel, expectArgument, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { type AttackRecord, attackRecord, expectTrainingAttack } from '../objectives/attacked-inputs.js';
import { crossEntropy } from '../objectives/classification-loss.js';
import type { ObjectiveStep, SteppedObjective } from '../objectives/objective.js';
import { attacked } from './attacked.js';
import { type DualModel, mixLogits } from './dual-model.js';
import { consistencyTerm } from './expert-consistency.js';
import { forwardRng } from './routing-pairs.js';
import { stepWithTerms } from './with-terms.js';

const VARIANTS = ['paper', 'released'] as const;

/** Options of {@link jtdMoe}. */
export interface JtdMoeOptions {
  /** Attacks the robust part, and each of its experts by itself, e.g. `pgd({ eps: 8 / 255, stepSize: 2 / 255, steps: 10, goal: 'lastStep' })`; one that does not compile. */
  readonly attack: Attack;
  /** Has no default, because results differ: see {@link jtdMoe}. */
  readonly variant: (typeof VARIANTS)[number];
  /** β, the weight of the experts. @defaultValue 6 */
  readonly beta?: number;
}

/** What of {@link JtdMoeOptions} is recorded. */
export interface JtdMoeRecord {
  readonly attack: AttackRecord;
  readonly variant: (typeof VARIANTS)[number];
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
 * - `'paper'`: as published; both routers learn through the gradient that the model's own gates have, and from the balance losses.
 * - `'released'`: as the code does. It does not clear the gradient of the second step, which so moves the standard part twice: there in the first step of the next batch, at that batch's learning rate;
 *   here at once, which comes to the same, as nothing reads the standard part in between, but for the last batch. Gates, batch norm of the robust part and balance losses as in {@link rtEr}. The code
 *   mixes logits and the paper probabilities; see the option `combine` of {@link dualModel}.
 *
 * Published with α = 0.7, β = 6, 10 steps of 2/255 in 8/255, Adam at 1e-4, batches of 512. Train with the weights of {@link dualWeights}.
 *
 * @throws {@link ArgumentError} if an option is unknown or wrong; its functions throw if the model is not dual, or no layer of its robust part chooses.
 * @see {@link https://arxiv.org/abs/2502.06832 | Zhang et al. 2025}, Sec. 5.
 *
 * @example
 * await train({ model: dualModel(a, b), weights: dualWeights(weightsOfA, weightsOfB), objective: jtdMoe({ attack, variant: 'paper' }), … });
 */
export function jtdMoe(options: JtdMoeOptions): SteppedObjective<JtdMoeRecord> {
  expectKnownKeys('jtdMoe', options, ['attack', 'variant', 'beta']);
  const { attack, variant, beta = 6 } = options;
  expectTrainingAttack('jtdMoe', attack);
  expectOneOf('jtdMoe', 'variant', variant, VARIANTS);
  expectNumber('jtdMoe', 'beta', beta, 0);
  const released = variant === 'released';
  const gate: NonNullable<ForwardOptions['gate']> = released ? 'detached' : 'hard';
  const auxOf = (auxLoss: Scalar): Scalar => (released ? scalar(0) : auxLoss);
  const adversarial: ObjectiveStep = {
    perturb: (model, batch, context) => attacked(attack, (x) => tidy(() => model.forward(x, { gate }).logits), batch, context, 'attack'),
    loss: (model, inputs, { labels }, context) => {
      const { logits, routing, auxLoss } = model.forward(inputs, { gate, ...(!released && { training: true, rng: forwardRng(context) }) });
      const [ce, aux] = [crossEntropy(logits, labels), auxOf(auxLoss)];
      return { total: add(ce, aux) as Scalar, terms: { ce, aux }, logits, routing };
    },
  };
  const onRobust = stepWithTerms(adversarial, [consistencyTerm({ caller: 'jtdMoe', attack, experts: 'all', layers: undefined, training: !released }, beta)]);
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
    updates: released ? 2 : 1,
    loss: (model, inputs, { labels }, context) => {
      const dual = dualOf(model);
      const own = dual.standard.forward(inputs, { gate, training: true, rng: forwardRng(context) });
      const logits = mixLogits(dual, own.logits, dual.robust.forward(inputs).logits);
      const [ce, aux] = [crossEntropy(logits, labels), auxOf(own.auxLoss)];
      const routing = own.routing.map((entry) => ({ ...entry, layer: `standard/${entry.layer}` }));
      return { total: add(ce, aux) as Scalar, terms: { 'dual-ce': ce, 'dual-aux': aux }, logits, routing };
    },
  };
  return { name: 'jtd-moe', options: { attack: attackRecord(attack), variant, beta }, steps: [robust, standard] };
}
