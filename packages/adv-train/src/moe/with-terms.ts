// Shapes: B batch.
import { type Scalar, type Tensor, add, clone, concat, slice, tidy } from '@tensorflow/tfjs-core';
import { type MoeModel, expectArgument } from '@moe/core';
import type { Objective, ObjectiveStep, SingleObjective, TrainingBatch } from '../objectives/objective.js';
import type { ObjectiveTerm } from './objective-term.js';

/** What of an objective with terms is recorded. */
export interface WithTermsRecord {
  readonly objective: { readonly name: string; readonly options: object };
  readonly terms: readonly { readonly name: string; readonly options: object }[];
}

const record = ({ name, options }: { readonly name: string; readonly options: object }) => ({ name, options });

const viewsOf = (model: MoeModel, terms: readonly ObjectiveTerm[]): number => terms.reduce((count, { views }) => count + (views?.count(model) ?? 0), 0);

/** Rows `[i · B, (i + 1) · B)` of several batches one after the other. */
const part = (stacked: Tensor, rows: number, i: number): Tensor => slice(stacked, [i * rows, ...stacked.shape.slice(1).map(() => 0)], [rows, ...stacked.shape.slice(1)]);

/**
 * An objective with further summands.
 *
 * @remarks
 * `L + Σ_i L_i`; each L_i is weighted in itself and recorded under its name. A term that needs inputs of its own, such as those of an attack on the router, makes them together with those of the
 * objective, before the step is differentiated: `perturb` returns all of them one after the other, `[n · B, …]`, and `loss` takes them apart. An objective of several steps gets the terms in each.
 *
 * @returns An objective with the objective's name, and the names of its terms, after it.
 * @throws {@link ArgumentError} if a term has a name that is taken; and as the objective and the terms do.
 *
 * @example
 * const objective = withTerms(pgdAdversarial({ attack, batchNorm: 'running' }), [routerKl(), routerMargin({ weight: 0.1 })]);
 */
export function withTerms(objective: SingleObjective, terms: readonly ObjectiveTerm[]): SingleObjective<WithTermsRecord>;
export function withTerms(objective: Objective, terms: readonly ObjectiveTerm[]): Objective<WithTermsRecord>;
export function withTerms(objective: Objective, terms: readonly ObjectiveTerm[]): Objective<WithTermsRecord> {
  expectArgument('withTerms', 'objective', typeof objective?.name === 'string' && ('loss' in objective || 'steps' in objective), 'be an Objective', objective);
  expectArgument('withTerms', 'terms', Array.isArray(terms) && terms.length > 0 && terms.every((term) => typeof term?.loss === 'function'), 'hold at least one term', terms);
  const names = terms.map(({ name }) => name);
  expectArgument('withTerms', 'terms', new Set(names).size === names.length, 'have different names', names);
  const named = { name: [objective.name, ...names].join('+'), options: { objective: record(objective), terms: terms.map(record) } };
  return 'steps' in objective ? { ...named, steps: objective.steps.map((step) => stepWithTerms(step, terms)) } : { ...named, ...stepWithTerms(objective, terms) };
}

/** One step with further summands. */
export function stepWithTerms(step: ObjectiveStep, terms: readonly ObjectiveTerm[]): ObjectiveStep {
  const { displace, carry, moves } = step;
  const trainedOf = (model: MoeModel, stacked: Tensor, { ids }: TrainingBatch): Tensor => (viewsOf(model, terms) === 0 ? stacked : part(stacked, ids.length, 0));
  return {
    ...(moves !== undefined && { moves }),
    ...(displace !== undefined && { displace: (model, stacked, batch, context) => displace(model, trainedOf(model, stacked, batch), batch, context) }),
    ...(carry !== undefined && { carry: (stacked, gradient, batch, context) => carry(part(stacked, batch.ids.length, 0), part(gradient, batch.ids.length, 0), batch, context) }),
    perturb: (model, batch, context) =>
      tidy(() => {
        const trained = step.perturb?.(model, batch, context) ?? batch.inputs;
        const views = terms.flatMap((term) => term.views?.make(model, batch, context) ?? []);
        return views.length === 0 ? clone(trained) : concat([trained, ...views], 0);
      }),
    loss: (model, stacked, batch, context) => {
      const trained = trainedOf(model, stacked, batch);
      const base = step.loss(model, trained, batch, context);
      let [from, { total }] = [1, base];
      const added: Record<string, Scalar> = {};
      for (const term of terms) {
        expectArgument('withTerms', 'terms', !(term.name in base.terms), 'have names that the objective does not use for its own', term.name);
        const count = term.views?.count(model) ?? 0;
        const views = Array.from({ length: count }, (_, i) => part(stacked, batch.ids.length, from + i));
        from += count;
        const value = term.loss(model, { batch, trained, views, loss: base }, context);
        added[term.name] = value;
        total = add(total, value);
      }
      return { ...base, total, terms: { ...base.terms, ...added } };
    },
  };
}
