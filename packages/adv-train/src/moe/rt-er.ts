// Shapes: B batch.
import { type Scalar, add, scalar, tidy } from '@tensorflow/tfjs-core';
import { type Attack, type ForwardOptions, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { type AttackRecord, attackRecord, expectTrainingAttack } from '../objectives/attacked-inputs.js';
import { crossEntropy } from '../objectives/classification-loss.js';
import type { ObjectiveStep, SingleObjective } from '../objectives/objective.js';
import { attacked } from './attacked.js';
import { type ConsistencyPlan, consistencyTerm } from './expert-consistency.js';
import { forwardRng } from './routing-pairs.js';
import { stepWithTerms } from './with-terms.js';

const VARIANTS = ['paper', 'released', 'fixed'] as const;

/** Options of {@link rtEr}. */
export interface RtErOptions {
  /** Attacks the model, and by themselves the second experts, e.g. `pgd({ eps: 8 / 255, stepSize: 2 / 255, steps: 10, goal: 'lastStep' })`; one that does not compile. */
  readonly attack: Attack;
  /** Has no default, because results differ: see {@link rtEr}. */
  readonly variant: (typeof VARIANTS)[number];
  /** β, the weight of the second experts. @defaultValue 6 */
  readonly beta?: number;
  /** Layers whose experts are exchanged, by name. @defaultValue all that choose */
  readonly layers?: readonly string[];
}

/** What of {@link RtErOptions} is recorded. */
export interface RtErRecord {
  readonly attack: AttackRecord;
  readonly variant: (typeof VARIANTS)[number];
  readonly beta: number;
  readonly layers: readonly string[] | null;
}

/** How the model runs in each variant, beside the mode of its batch norm. */
const GATES = { paper: 'hard', released: 'detached', fixed: { temperature: 1 } } as const satisfies Record<RtErOptions['variant'], NonNullable<ForwardOptions['gate']>>;

/**
 * Robust training with expert robustification: PGD adversarial training of an MoE model, and of each row's second expert by itself.
 *
 * @remarks
 * `CE(F(x'), y) + β/B Σ_b KL(f_j(x_b) ‖ f_j(x''_b))`, x' the attack on the model F, j the first expert that row b was not sent to, x'' the attack on f_j alone; see {@link expertConsistency}, also
 * for models of several layers. All attacks see the model in evaluation mode.
 *
 * - `'paper'`: as published; the router learns through the gradient that the model's own gates have, and from the balance losses.
 * - `'released'`: as the code does. The gate is a bare argmax, so the router stays as it was drawn, and neither training nor attack has a gradient to it; after the first attack batch norm is in
 *   evaluation mode for good. Balance losses, which the code has not, are left out. Differs from it in drawing the start inside the ball: there the uniform noise is shifted and scaled by the data's
 *   mean and deviation.
 * - `'fixed'`: training and attack take the gradient of a softmax of all scores, at the same outputs, so that the router learns and the attack sees routes. All experts then run on all rows.
 *
 * Published with β = 6, 10 steps of 2/255 in 8/255, Adam at 1e-4, batches of 512.
 *
 * @throws {@link ArgumentError} if an option is unknown or wrong; its functions throw if no layer chooses.
 * @see {@link https://arxiv.org/abs/2502.06832 | Zhang et al. 2025}
 *
 * @example
 * const objective = rtEr({ attack: pgd({ eps: 8 / 255, stepSize: 2 / 255, steps: 10, goal: 'lastStep' }), variant: 'fixed' });
 */
export function rtEr(options: RtErOptions): SingleObjective<RtErRecord> {
  expectKnownKeys('rtEr', options, ['attack', 'variant', 'beta', 'layers']);
  const { attack, variant, beta = 6, layers } = options;
  expectTrainingAttack('rtEr', attack);
  expectOneOf('rtEr', 'variant', variant, VARIANTS);
  expectNumber('rtEr', 'beta', beta, 0);
  const gate = GATES[variant];
  const training = variant !== 'released';
  const plan: ConsistencyPlan = { caller: 'rtEr', attack, experts: 'second', layers, training };
  const adversarial: ObjectiveStep = {
    perturb: (model, batch, context) => attacked(attack, (inputs) => tidy(() => model.forward(inputs, { gate }).logits), batch, context, 'attack'),
    loss: (model, inputs, { labels }, context) => {
      const { logits, routing, auxLoss } = model.forward(inputs, { gate, ...(training && { training, rng: forwardRng(context) }) });
      const ce = crossEntropy(logits, labels);
      const aux = training ? auxLoss : scalar(0);
      return { total: add(ce, aux) as Scalar, terms: { ce, aux }, logits, routing };
    },
  };
  return { name: 'rt-er', options: { attack: attackRecord(attack), variant, beta, layers: layers ?? null }, ...stepWithTerms(adversarial, [consistencyTerm(plan, beta)]) };
}
