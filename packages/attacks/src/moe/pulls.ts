// Shapes: B batch, N rows of one pass, D numbers of one example.
import type { MoeModel } from '@moe/core';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { measure } from '../internal/measure.js';
import { type Problem, rowOf } from '../internal/problem.js';
import type { RowLoss } from '../losses/row-loss.js';
import { type Aims, shortfallOf, weightedModel, weightsOf } from './aims.js';
import type { Pull } from './climb.js';
import { onScores } from './scores.js';

/** How the pull on the classifier and the pull on the routes are weighed: the factor of the second, by row. */
export type Weighing = (row: number, routed: boolean) => { readonly classifier: number; readonly routes: number };

// Of the weight of the routes: where it starts, and how far it may go.
const [LEAST, MOST] = [0.8, 2 ** 20];

/** Raises the weight of the routes while a row is not routed as it should be and lowers it once it is: dual ascent. */
export function dualWeighing(rows: number): Weighing {
  const weights = new Float64Array(rows).fill(LEAST);
  return (row, routed) => {
    const routes = weights[row]!;
    weights[row] = routed ? Math.max(LEAST, routes / 2) : Math.min(MOST, routes * 2);
    return { classifier: 1, routes };
  };
}

/** Follows the classifier while a row is routed as it should be, and else the routes alone. */
export const alternating: Weighing = (_row, routed) => (routed ? { classifier: 1, routes: 0 } : { classifier: 0, routes: 1 });

/** Follows the classifier alone, as if it were routed as it should be. */
export const regardless: Weighing = () => ({ classifier: 1, routes: 0 });

function addScaled(out: Float32Array, gradient: Float32Array, norm: AttackNorm, weight: number): void {
  const length = GEOMETRIES[norm].dualLength(gradient);
  if (weight === 0 || length === 0) return;
  for (let k = 0; k < out.length; k++) out[k]! += (weight / length) * gradient[k]!;
}

/**
 * Pull towards inputs that a row's experts misclassify and that are routed to them; each pull has length 1 in the dual norm before it is weighed.
 *
 * @remarks
 * A pass over the scores of each layer aimed at and one over the model with these experts, each forward and backward.
 */
export function pullTo(problem: Problem, moe: MoeModel, norm: AttackNorm, rowLoss: RowLoss, aims: readonly Aims[], weigh: Weighing): Pull {
  const { size } = problem;
  const layers = aims.map((aim) => ({ aim, task: onScores(problem, moe, aim.layer.name), shortfall: shortfallOf(aim) }));
  return (points, batch) => {
    const routes = layers.map(({ task, shortfall }) => measure(task, shortfall, points, batch, true));
    const weights = layers.map(({ aim }, i) => ({ layer: aim.layer, weights: weightsOf(aim, routes[i]!.logits, batch) }));
    const classifier = measure({ ...problem, model: weightedModel(moe, weights), compiled: undefined }, rowLoss, points, batch, true);
    const pulls = new Float32Array(batch.length * size);
    batch.forEach((row, i) => {
      const out = rowOf(pulls, i, size);
      const astray = routes.filter(({ loss }) => loss[i]! < 0);
      const { classifier: share, routes: weight } = weigh(row, astray.length === 0);
      addScaled(out, rowOf(classifier.gradient!, i, size), norm, share);
      for (const { gradient } of astray) addScaled(out, rowOf(gradient!, i, size), norm, weight);
    });
    return pulls;
  };
}
