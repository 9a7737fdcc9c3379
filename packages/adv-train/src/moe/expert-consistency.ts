// Shapes: B batch, M classes.
import { type Scalar, type Tensor, addN, mean, mul, tidy } from '@tensorflow/tfjs-core';
import { type Attack, type MoeModel, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { type AttackRecord, attackRecord, expectTrainingAttack } from '../objectives/attacked-inputs.js';
import { klDivergence } from '../objectives/kl-divergence.js';
import type { ObjectiveContext, TrainingBatch } from '../objectives/objective.js';
import { attacked } from './attacked.js';
import { type ExpertChoice, copyFn, countCopies, expertCopies, steer } from './expert-copies.js';
import type { ObjectiveTerm } from './objective-term.js';
import { secondPass } from './routing-pairs.js';

/** Options of {@link expertConsistency}. */
export interface ExpertConsistencyOptions {
  /** Attacks each expert by itself, e.g. `pgd({ …, goal: 'maxLoss' })` of `@moe/attacks`; one that does not compile, since its model is another one at each step. */
  readonly attack: Attack;
  /** β. @defaultValue 6 (Zhang et al. 2025) */
  readonly weight?: number;
  /** `'second'`: the first expert that was not chosen, row by row (RT-ER); `'all'`: every expert of every layer, one after the other (JTDMoE); `'random'`: one drawn by example. @defaultValue 'second' */
  readonly experts?: ExpertChoice;
  /** Layers whose experts are exchanged, by name. @defaultValue all that choose */
  readonly layers?: readonly string[];
}

/** What of {@link ExpertConsistencyOptions} is recorded. */
export interface ExpertConsistencyRecord {
  readonly attack: AttackRecord;
  readonly weight: number;
  readonly experts: ExpertChoice;
  readonly layers: readonly string[] | null;
}

/** Stated once for the term and for the objectives that are built around it. */
export interface ConsistencyPlan {
  readonly caller: string;
  readonly attack: Attack;
  readonly experts: ExpertChoice;
  readonly layers: readonly string[] | undefined;
  /** Whether the passes that are compared run in training mode. */
  readonly training: boolean;
}

const copiesOf = ({ caller, experts, layers }: ConsistencyPlan, model: MoeModel, batch: TrainingBatch, { exampleRng }: ObjectiveContext) =>
  expertCopies(caller, model, batch, layers, experts, exampleRng.stream('expert'));

/** `Σ_copies mean_b KL(f(x_b) ‖ f(x'_b))`. */
function consistencyLoss(plan: ConsistencyPlan, model: MoeModel, batch: TrainingBatch, views: readonly Tensor[], context: ObjectiveContext): Scalar {
  return addN(
    copiesOf(plan, model, batch, context).map((copy, i) => {
      const experts = steer(model, copy, batch.ids.length, Array.from(batch.ids.keys()));
      const logits = (inputs: Tensor) => (plan.training ? secondPass(model, inputs, context, { experts }) : model.forward(inputs, { experts })).logits;
      return mean(klDivergence(logits(batch.inputs), logits(views[i]!))) as Scalar;
    }),
  );
}

/** The term of a plan, without the record of its options. */
export const consistencyTerm = (plan: ConsistencyPlan, weight: number): ObjectiveTerm => ({
  name: 'expert-consistency',
  options: {},
  views: {
    count: (model) => countCopies(plan.caller, model, plan.layers, plan.experts),
    make: (model, batch, context) => copiesOf(plan, model, batch, context).map((copy, i) => attacked(plan.attack, copyFn(model, copy, batch.ids), batch, context, `expert-${i}`)),
  },
  loss: (model, { batch, views }, context) => tidy(() => mul(consistencyLoss(plan, model, batch, views, context), weight) as Scalar),
});

/**
 * Term that makes robust an expert that a row was not sent to, so that little is won by flipping its route.
 *
 * @remarks
 * `weight · mean_b KL(f_j(x_b) ‖ f_j(x''_b))`, f_j the model with row b's second expert j in place of the one chosen, at weight 1, and x'' what `attack` makes of x against f_j alone, in evaluation
 * mode; for `'all'` the sum over experts. In a model with several layers all of them take their second experts at once, and with K > 1 the one of rank K + 1. The gradient flows into both sides,
 * and into no router. Costs a pass for the ranks, and for each copy the attack and two passes.
 *
 * @returns A term named `expert-consistency` for {@link withTerms}; 0 where the attack does not move the outputs.
 * @throws {@link ArgumentError} if an option is unknown or wrong; its functions throw if no layer chooses.
 * @see {@link https://arxiv.org/abs/2502.06832 | Zhang et al. 2025}, RT-ER.
 *
 * @example
 * const objective = withTerms(pgdAdversarial({ attack, batchNorm: 'running' }), [expertConsistency({ attack })]);
 */
export function expertConsistency(options: ExpertConsistencyOptions): ObjectiveTerm<ExpertConsistencyRecord> {
  expectKnownKeys('expertConsistency', options, ['attack', 'weight', 'experts', 'layers']);
  const { attack, weight = 6, experts = 'second', layers } = options;
  expectTrainingAttack('expertConsistency', attack);
  expectNumber('expertConsistency', 'weight', weight, 0);
  expectOneOf('expertConsistency', 'experts', experts, ['second', 'random', 'all']);
  const plan: ConsistencyPlan = { caller: 'expertConsistency', attack, experts, layers, training: true };
  return { ...consistencyTerm(plan, weight), options: { attack: attackRecord(attack), weight, experts, layers: layers ?? null } };
}
