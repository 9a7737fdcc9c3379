// Shapes: B batch, E experts, K chosen.
import { type Attack, type MoeLayerInfo, expectInteger } from '@moe/core';
import { freeze } from '../internal/options.js';
import { climb } from './climb.js';
import { choosing } from './moe-of.js';
import { type RoutingAttackOptions, routingOptions } from './options.js';
import { dualWeighing, pullTo, regardless } from './pulls.js';
import { routingAttack } from './routing-attack.js';

export interface PathEnumerationOptions extends RoutingAttackOptions {
  /** Models with more paths are left as they are. @defaultValue 64 */
  readonly maxPaths?: number;
}

/** All sets of `size` out of `count` experts. */
function subsets(count: number, size: number): number[][] {
  if (size === 0) return [[]];
  return Array.from({ length: count - size + 1 }, (_, first) => first).flatMap((first) => subsets(count - first - 1, size - 1).map((rest) => [first, ...rest.map((expert) => expert + first + 1)]));
}

function binomial(n: number, k: number): number {
  let ways = 1;
  for (let i = 0; i < k; i++) ways *= (n - i) / (i + 1);
  return ways;
}

/** One set of experts for each layer, in all combinations; none if there are more than `most`. */
export function pathsOf(layers: readonly MoeLayerInfo[], most: number): readonly (readonly (readonly number[])[])[] {
  const count = layers.reduce((total, { numExperts, topK }) => total * binomial(numExperts, topK), 1);
  if (count > most || layers.length === 0) return [];
  return layers.reduce<(readonly number[])[][]>((paths, { numExperts, topK }) => paths.flatMap((path) => subsets(numExperts, topK).map((set) => [...path, set])), [[]]);
}

/**
 * Attacks every way through the experts as a model of its own, then pulls what it found back onto that way.
 *
 * @remarks
 * A path gives every layer that chooses one set of K experts, the same for all tokens. Half of the steps climb the loss of the path whatever the routes, half that of {@link expertTargeted} towards
 * the path. The model itself judges every point. Leaves all rows as they are where there are more than `maxPaths` paths: Π binomial(E, K) over the layers.
 *
 * @returns A frozen attack on models that bring `moe`.
 * @throws {@link ArgumentError} if an option is unknown or out of range; `perturb` throws if the model brings no MoE model.
 *
 * @example
 * const attack = pathEnumeration({ eps: 8 / 255 });
 */
export function pathEnumeration(options: PathEnumerationOptions): Attack<Required<PathEnumerationOptions>> {
  const shared = routingOptions('pathEnumeration', options, ['maxPaths']);
  const { maxPaths = 64 } = options;
  expectInteger('pathEnumeration', 'maxPaths', maxPaths, 1);
  const filled = freeze({ ...shared, maxPaths });
  return routingAttack('pathEnumeration', filled, ({ moe, problem, rowLoss, best, all }) => {
    const layers = choosing(moe);
    const paths = pathsOf(layers, maxPaths);
    const half = { ...filled, steps: Math.max(1, Math.floor(filled.steps / 2)) };
    // The clean inputs are judged also where there is no path to try.
    climb(problem, { ...half, steps: 0 }, rowLoss, best, problem.inputs.slice(), all, { run: 0, runs: 1 }, () => new Float32Array(0));
    paths.forEach((path, i) => {
      const standing = all.filter((row) => best.wrong[row] === 0);
      if (standing.length === 0) return;
      const aims = path.map((set, at) => ({ layer: layers[at]!, experts: all.map(() => set) }));
      const points = problem.inputs.slice();
      for (const [phase, weigh] of [regardless, dualWeighing(problem.rows)].entries()) {
        climb(problem, half, rowLoss, best, points, standing, { run: 2 * i + phase, runs: 2 * paths.length }, pullTo(problem, moe, filled.norm, rowLoss, aims, weigh));
      }
    });
  });
}
