// Shapes: B batch, D numbers of one example, R tokens of an example, E experts.
import { type Bounds, type LogitsFn, createRng, expectArgument, expectInteger, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { type Tensor, type Tensor1D, tensor, zeros } from '@tensorflow/tfjs-core';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { type Problem, createProblem, rowOf } from '../internal/problem.js';
import { choosing, moeOf } from './moe-of.js';
import { nearestRoutes } from './nearest-routes.js';
import { readRouting } from './scores.js';

export interface FlipRoutesOptions {
  /** @defaultValue 'Linf' */
  readonly norm?: AttackNorm;
  /** Range of valid inputs. @defaultValue [0, 1] */
  readonly bounds?: Bounds;
  /** Layers whose routes may flip, by name. @defaultValue all that choose */
  readonly layers?: readonly string[];
  /** Gradient steps towards each expert; a router that is affine in the input takes two. @defaultValue 20 */
  readonly steps?: number;
}

/** Nearest input of each example that is routed otherwise. */
export interface FlippedRoutes {
  /** `[B,…]`, the clean input where none was found; the caller disposes it. */
  readonly flipped: Tensor;
  /** How far away it is, `[B]`; infinite where none was found. */
  readonly distances: Float64Array;
  /** Layer and expert that takes over a token, `[B]`; undefined where none was found. */
  readonly routes: readonly ({ readonly layer: string; readonly expert: number } | undefined)[];
}

/**
 * Looks for the smallest change of each input that sends a token to another set of experts, whether or not the prediction changes.
 *
 * @remarks
 * Towards each expert that a token does not choose, in the token where its score is nearest to being enough: projections onto the hyperplane where the two scores, linearised, are equal, within
 * bounds, and halvings of the way at last. Exact to a ten-thousandth where the scores are affine in the input; elsewhere an upper bound of the true distance. A flip counts only if the combine
 * weights say so. No random draws, and an example's result does not depend on its batch.
 *
 * A step costs a forward and a backward pass for each expert; routes to E experts cost about E (steps + 11) forward passes.
 *
 * @param model  - brings `moe`, such as `logitsFn(moeModel(network))`.
 * @param inputs - clean `[B,…]`, float32 within bounds.
 * @throws {@link ArgumentError} if the model brings no MoE model, a layer does not choose, or an option is out of range.
 * @see {@link flipDistance} for the closed form of an affine router; {@link https://arxiv.org/abs/2506.20310 | RT-ER}, whose router flips within 1/255.
 *
 * @example
 * const { flipped, distances } = flipRoutes(logitsFn(model), images, { norm: 'L2' });
 */
export function flipRoutes(model: LogitsFn, inputs: Tensor, options: FlipRoutesOptions = {}): FlippedRoutes {
  expectKnownKeys('flipRoutes', options, ['norm', 'bounds', 'layers', 'steps']);
  const { norm = 'Linf', bounds = [0, 1], steps = 20 } = options;
  expectOneOf('flipRoutes', 'norm', norm, Object.keys(GEOMETRIES) as AttackNorm[]);
  bounds.forEach((bound, i) => expectNumber('flipRoutes', `bounds[${i}]`, bound));
  expectInteger('flipRoutes', 'steps', steps, 1);
  const moe = moeOf('flipRoutes', model);
  const known = choosing(moe);
  const names = options.layers ?? known.map(({ name }) => name);
  const layers = names.map((name, i) => {
    const found = known.find((layer) => layer.name === name);
    expectArgument('flipRoutes', `layers[${i}]`, found !== undefined, `be a layer that chooses (${known.map((layer) => layer.name).join(', ')})`, name);
    return found;
  });
  const labels = zeros([inputs.shape[0] ?? 0], 'int32') as Tensor1D; // of no consequence
  let problem: Problem;
  try {
    problem = createProblem('flipRoutes', model, inputs, labels, { rng: createRng(0) }, bounds);
  } finally {
    labels.dispose();
  }
  const { rows, size } = problem;
  const points = problem.inputs.slice();
  const distances = new Float64Array(rows).fill(Infinity);
  const routes = new Array<FlippedRoutes['routes'][number]>(rows).fill(undefined);
  for (const layer of layers) {
    const scores = readRouting(problem, moe, layer, 'gateLogits', problem.inputs);
    const before = readRouting(problem, moe, layer, 'combineWeights', problem.inputs);
    for (let expert = 0; expert < layer.numExperts; expert++) {
      const found = nearestRoutes(problem, moe, layer, expert, scores, { norm, bounds, steps });
      const after = readRouting(problem, moe, layer, 'combineWeights', found.points);
      const width = before.length / rows;
      for (let row = 0; row < rows; row++) {
        if (found.distances[row]! >= distances[row]! || !differ(rowOf(before, row, width), rowOf(after, row, width))) continue;
        distances[row] = found.distances[row]!;
        routes[row] = { layer: layer.name, expert };
        rowOf(points, row, size).set(rowOf(found.points, row, size));
      }
    }
  }
  return { flipped: tensor(points, inputs.shape), distances, routes };
}

/** Whether two passes chose other experts for some token. */
const differ = (before: Float32Array, after: Float32Array): boolean => before.some((weight, i) => weight > 0 !== after[i]! > 0);
