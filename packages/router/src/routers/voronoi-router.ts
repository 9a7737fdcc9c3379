// Shapes: T rows, C channels, E experts.
import { expectArgument, expectInteger, expectKnownKeys, expectNumber } from '@moe/core';
import { zeros } from '@tensorflow/tfjs-core';
import { channelMeans } from '../gates/gap-fc.js';
import { descend, prototypeTree } from '../internal/prototype-tree.js';
import { maskOfChoices } from '../losses/balance-option.js';
import { buildPlan } from '../plans/build-plan.js';
import { expectFiniteGates, expectGateContext, expectOnHost } from '../plans/expect-context.js';
import type { Router } from '../types.js';

export interface VoronoiRouterOptions {
  /** One point for each expert, `[E,C]`. */
  readonly prototypes: readonly (readonly number[])[];
  /** Children of a node of the search tree, at least 2. @defaultValue E: no tree, every prototype is compared */
  readonly branching?: number;
}

/**
 * Each row goes to the expert whose fixed prototype is nearest, found by a search down a tree: hard, without anything to learn, one expert whatever their number.
 *
 * @remarks
 * Compared is x̄, the mean of a row over its positions. The tree groups prototypes that are near each other, and a row takes the nearest centre at each node, about
 * `branching · log(E)/log(branching)` comparisons; its regions are polyhedra like Voronoi cells, but near their borders a row may miss its nearest prototype. Without `branching` they are the Voronoi
 * cells. Weight 1, no gradient to learn from. For prototypes that learn, `topKRouter` with {@link prototypeGate} makes the same cells with a straight-through gradient.
 * Experts that are not allowed are left out of the tree. The search runs on the host.
 *
 * @returns A router without weights.
 * @throws {@link ArgumentError} if an option is out of range, or `init` sees rows with another number of channels.
 * @see {@link https://arxiv.org/abs/2402.03460 | Kratsios et al. 2024}: with enough such cells, one small expert a row approximates any Lipschitz function.
 *
 * @example
 * const router = voronoiRouter({ prototypes: [[0, 0], [0, 1], [1, 0], [1, 1]], branching: 2 });
 */
export function voronoiRouter(options: VoronoiRouterOptions): Router {
  expectKnownKeys('voronoiRouter', options, ['prototypes', 'branching']);
  const { prototypes }: VoronoiRouterOptions = options;
  expectArgument('voronoiRouter', 'prototypes', Array.isArray(prototypes) && prototypes.length >= 1, 'be E ≥ 1 rows of numbers', prototypes);
  const [numExperts, channels] = [prototypes.length, prototypes[0]!.length];
  expectArgument('voronoiRouter', 'prototypes', channels >= 1 && prototypes.every((row) => row.length === channels), 'be rows of the same length', prototypes.map((row) => row.length));
  prototypes.forEach((row: readonly number[], e) => row.forEach((value, c) => expectNumber('voronoiRouter', `prototypes[${e}][${c}]`, value)));
  const { branching = Math.max(numExperts, 2) } = options;
  expectInteger('voronoiRouter', 'branching', branching, 2);
  return {
    name: 'voronoiRouter',
    options: { prototypes, branching },
    numExperts,
    topK: 1,
    batchInvariant: true,
    continuous: numExperts === 1,
    gradientPath: 'none',
    init(inputShape) {
      expectArgument('voronoiRouter', 'inputShape', inputShape.at(-1) === channels, `end in the ${channels} channels of the prototypes`, inputShape);
      return {};
    },
    route(_, inputs, context) {
      expectOnHost('voronoiRouter', context, 'the tree is searched');
      expectGateContext('voronoiRouter', numExperts, context);
      expectArgument('voronoiRouter', 'inputs', inputs.rank >= 2 && inputs.shape.at(-1) === channels, `have rank ≥ 2 and ${channels} channels`, inputs.shape);
      const numTokens = inputs.shape[0]!;
      const open = Array.from({ length: numExperts }, (_unused, expert) => expert).filter((expert) => context.allowed?.[expert] !== false);
      const tree = prototypeTree(prototypes, branching, open);
      return buildPlan(() => {
        const points = channelMeans(inputs, numTokens).dataSync();
        expectFiniteGates('voronoiRouter', points, channels, 'inputs');
        const experts = Int32Array.from({ length: numTokens }, (_unused, row) => descend(tree, points.subarray(row * channels, (row + 1) * channels)));
        const gates = maskOfChoices(experts, 1, numExperts);
        return { gateLogits: zeros(gates.shape), gates, combineWeights: gates, chosen: gates.dataSync(), relaxable: false };
      }, context);
    },
  };
}
