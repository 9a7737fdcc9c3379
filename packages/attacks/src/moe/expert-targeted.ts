// Shapes: B batch, E experts.
import { type Attack, expectArgument, expectInteger, expectOneOf } from '@moe/core';
import { keepBest } from '../internal/best.js';
import { measure } from '../internal/measure.js';
import { freeze } from '../internal/options.js';
import { ballsOf, rowsOf } from '../internal/per-example.js';
import { type Problem, exampleRng, rowOf } from '../internal/problem.js';
import { GEOMETRIES } from '../geometry/geometry.js';
import { climb } from './climb.js';
import { choosing } from './moe-of.js';
import { type RoutingAttackOptions, routingOptions } from './options.js';
import { type Weighing, alternating, dualWeighing, pullTo } from './pulls.js';
import { type Reach, reachOf, startOf, weakestFirst } from './reach.js';
import { routingAttack } from './routing-attack.js';

/** Where a run starts: where the expert begins to be chosen, at the clean input, or anywhere in the ball. */
export type ExpertStart = 'route' | 'clean' | 'random';

export interface ExpertTargetedOptions extends RoutingAttackOptions {
  /** Runs for each expert, by their starts. @defaultValue ['route', 'clean', 'random'] */
  readonly starts?: readonly ExpertStart[];
  /** How many experts of a layer are aimed at, the weakest first; all others where there are fewer. @defaultValue 64 */
  readonly experts?: number;
  /** Gradient steps of the search for where an expert begins to be chosen. @defaultValue 20 */
  readonly routeSteps?: number;
}

/**
 * Aims at the experts one by one: looks for an input that goes to a given expert and that this expert gets wrong.
 *
 * @remarks
 * For each layer that chooses, and each expert that an input within `eps` can reach ({@link flipRoutes}), the one whose own answer is nearest to wrong first: maximises
 * `ℓ(f_j(x)) + λ · min(0, lead of j over the score that it must pass)`, each term's gradient at length 1 in the dual norm, with f_j the model that sends every token to j. λ starts at 0.8, doubles
 * while a row is routed elsewhere and is halved once it is not. Only the model itself says whether it is fooled, at every step. Finds what end-to-end attacks miss where choosing an expert
 * has no gradient.
 *
 * A step costs three forward and two backward passes; one of each pair runs the scores alone. Assumes that a token's experts are those of highest score.
 *
 * @returns A frozen attack on models that bring `moe`, such as `logitsFn(moeModel(network))`.
 * @throws {@link ArgumentError} if an option is unknown or out of range; `perturb` throws if the model brings no MoE model.
 * @see Attacks on the routes of robust MoE models: {@link https://arxiv.org/abs/2506.20310 | RT-ER}; dual ascent instead of a fixed λ is ours.
 *
 * @example
 * const attack = expertTargeted({ eps: 8 / 255 });
 */
export function expertTargeted(options: ExpertTargetedOptions): Attack<Required<ExpertTargetedOptions>> {
  return aimedAttack('expertTargeted', options, { starts: ['route', 'clean', 'random'], experts: 64 }, dualWeighing);
}

export interface TwoPhaseOptions extends Omit<ExpertTargetedOptions, 'starts'> {
  /** How many experts of a layer are aimed at, the weakest first. @defaultValue 1 */
  readonly experts?: number;
}

/**
 * Flips the route first, then attacks within it.
 *
 * @remarks
 * Starts where the weakest reachable expert begins to be chosen, and climbs the loss of that expert; a row that leaves the route is first led back to it. Cheaper than {@link expertTargeted} and
 * weaker: one expert of each layer, one start.
 *
 * @returns A frozen attack on models that bring `moe`.
 * @throws {@link ArgumentError} if an option is unknown or out of range; `perturb` throws if the model brings no MoE model.
 * @see The order of the phases is that of J-TLGA, an attack on video MoE models.
 *
 * @example
 * const attack = twoPhase({ eps: 8 / 255 });
 */
export function twoPhase(options: TwoPhaseOptions): Attack<Required<ExpertTargetedOptions>> {
  expectArgument('twoPhase', 'starts', !('starts' in options), 'be left out', (options as ExpertTargetedOptions).starts, 'It always starts at the new route.');
  return aimedAttack('twoPhase', options, { starts: ['route'], experts: 1 }, () => alternating);
}

type Filled = Readonly<Required<ExpertTargetedOptions>>;

function aimedAttack(kind: string, options: ExpertTargetedOptions, defaults: Pick<Filled, 'starts' | 'experts'>, weighing: (rows: number) => Weighing): Attack<Required<ExpertTargetedOptions>> {
  const shared = routingOptions(kind, options, ['starts', 'experts', 'routeSteps']);
  const { starts, experts, routeSteps } = { ...defaults, routeSteps: 20, ...options };
  expectArgument(kind, 'starts', Array.isArray(starts) && starts.length >= 1, 'hold at least one start', starts);
  starts.forEach((start, i) => expectOneOf(kind, `starts[${i}]`, start, ['route', 'clean', 'random']));
  expectInteger(kind, 'experts', experts, 1);
  expectInteger(kind, 'routeSteps', routeSteps, 1);
  const filled: Filled = freeze({ ...shared, starts: Object.freeze([...starts]), experts, routeSteps });
  return routingAttack(kind, filled, ({ moe, problem, rowLoss, best, all }) => {
    keepBest(problem, best, problem.inputs, all, measure(problem, rowLoss, problem.inputs, all, false), 'misclassify');
    const layers = choosing(moe);
    const ranks = layers.map(({ numExperts }) => Math.min(filled.experts, numExperts));
    const runs = filled.starts.length * ranks.reduce((total, rank) => total + rank, 0);
    let run = 0;
    layers.forEach((layer, at) => {
      if (best.wrong.every((wrong) => wrong === 1)) return;
      const reaches = reachOf(problem, moe, layer, { norm: filled.norm, bounds: filled.bounds, steps: filled.routeSteps });
      const orders = weakestFirst(problem, moe, layer, reaches, rowsOf(problem, 'eps', filled.eps));
      for (const start of filled.starts) {
        for (let rank = 0; rank < ranks[at]!; rank++, run++) {
          const standing = all.filter((row) => best.wrong[row] === 0 && orders[row]![rank] !== undefined);
          if (standing.length === 0) continue;
          const points = startPoints(problem, filled, start, run, standing, (row) => orders[row]![rank]!);
          const aims = [{ layer, experts: orders.map((order) => order.slice(rank, rank + 1).map(({ expert }) => expert)) }];
          climb(problem, filled, rowLoss, best, points, standing, { run, runs }, pullTo(problem, moe, filled.norm, rowLoss, aims, weighing(problem.rows)));
        }
      }
    });
  });
}

/** First points of a run, `[B,D]`. */
function startPoints(problem: Problem, { eps, norm, bounds }: Filled, start: ExpertStart, run: number, standing: readonly number[], reachFor: (row: number) => Reach): Float32Array {
  const { inputs, size } = problem;
  const points = inputs.slice();
  const balls = ballsOf(problem, eps, bounds);
  for (const row of standing) {
    const [clean, point] = [rowOf(inputs, row, size), rowOf(points, row, size)];
    if (start === 'random') GEOMETRIES[norm].randomStart(clean, balls[row]!, 'uniform', exampleRng(problem, row, run), point);
    if (start === 'route') point.set(startOf(problem, reachFor(row), row));
  }
  return points;
}
