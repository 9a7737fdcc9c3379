// Shapes: B batch, D numbers of one example, N points of one query.
import type { Attack, Bounds } from '@moe/core';
import type { AttackNorm } from '../geometry/geometry.js';
import type { PassesOf } from '../internal/compiled-passes.js';
import type { BestPoints, Task } from '../internal/problem.js';
import { createProblem, toPerturbation } from '../internal/problem.js';
import type { Judgement } from '../internal/measure.js';
import { runSearch } from './run-search.js';

/** Points that a search wants judged. */
export interface Query {
  /** Row-major `[N,D]`; given away: the search does not touch them again. */
  readonly points: Float32Array;
  /** The row of the batch that each point belongs to, `[N]`; a row may come several times, or not at all. */
  readonly rows: readonly number[];
}

/** A search that asks for verdicts as it goes; who runs it decides how the model is asked, and whether it has to wait for the answer. */
export type Search<Result = BestPoints> = Generator<Query, Result, Judgement>;

/** What is known of the options of every query attack. */
export interface QueryAttackOptions {
  readonly norm: AttackNorm;
  readonly bounds: Bounds;
}

/**
 * An attack that needs only what a model answers, no gradient: it runs on models behind an interface too, see {@link attackBlackBox}.
 *
 * @remarks
 * `search` is the attack itself, apart from any model; `perturb` runs it on a model of this process. Both give the same result for the same answers.
 */
export interface QueryAttack<Options extends QueryAttackOptions = QueryAttackOptions> extends Attack<Options> {
  /** `'decision'`: `Judgement.loss` is not read, so a model may give away its predicted class alone. */
  readonly access: 'score' | 'decision';
  readonly search: (task: Task) => Search;
}

/**
 * Makes a frozen attack out of its search.
 *
 * @param passesOf - compiled passes over models of this process. @defaultValue passes run as they are
 */
export function queryAttack<Options extends QueryAttackOptions>(name: string, options: Options, access: QueryAttack['access'], search: (task: Task) => Search, passesOf?: PassesOf): QueryAttack<Options> {
  return Object.freeze<QueryAttack<Options>>({
    name,
    options,
    access,
    search,
    perturb: (model, inputs, labels, context) => {
      const problem = createProblem(name, model, inputs, labels, context, options.bounds, passesOf);
      return toPerturbation(problem, runSearch(problem, search(problem)));
    },
  });
}
