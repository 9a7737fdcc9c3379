import type { Bound } from '@moe/core';
import { expectArgument, expectKnownKeys } from '@moe/core';
import { type LinearBoundOptions, checkLinearOptions, globalBound } from '../internal/bounds.js';
import { sequence } from './composite-nodes.js';
import { type BoundPart, type Evaluation, evaluate, routedLayers } from './evaluate.js';
import type { HardRoutedNode, NetworkNode } from './nodes.js';
import { type ProductBound, asProduct, checkRoutedNames, fixedPath, refusal } from './product-bound.js';

/** One path through a gated model: the same expert in every hard-routed layer. */
export interface PathBound extends ProductBound {
  readonly expert: number;
}

/** All that can be said of a hard-routed model. */
export interface GatedBounds {
  /** A hard-routed model has no Lipschitz constant, so there is no bound. */
  readonly bound: undefined;
  /** Why, in words for a report. */
  readonly refusal: string;
  /** The continuous models with expert e fixed in every hard-routed layer, e = 0, 1, … */
  readonly paths: readonly PathBound[];
  /** Holds for every path with fixed experts, mixed ones included; not for the gated model. */
  readonly anyPath: Bound<'upper'>;
  /** What lies before, between and after the hard-routed layers: `trunk`, `between…`, `head`, and each `LAYER/expertE`. */
  readonly parts: readonly BoundPart[];
}

/** Takes the expert with the largest bound in every layer. */
function worstPath(evaluation: Omit<Evaluation, 'routed'>): Evaluation {
  const worst: Evaluation = {
    ...evaluation,
    routed: (node) => {
      const parts = node.experts.map((expert) => evaluate(expert, worst));
      const value = Math.max(...parts.map(({ bound }) => bound.value));
      return { name: node.name, bound: globalBound(value, 'upper', evaluation.norm, 'largest-expert'), parts };
    },
  };
  return worst;
}

/** Splits a network into stretches without routing and single nodes with it. */
function stretches(network: NetworkNode): NetworkNode[] {
  const groups: NetworkNode[][] = [];
  let open = false;
  for (const node of network.kind === 'sequence' ? network.nodes : [network]) {
    const plain = routedLayers(node).length === 0;
    if (plain && open) groups.at(-1)!.push(node);
    else groups.push([node]);
    open = plain;
  }
  return groups.map((group, i): NetworkNode => {
    if (routedLayers(group[0]!).length > 0) return group[0]!;
    const name = i === 0 ? 'trunk' : i === groups.length - 1 ? 'head' : `between${i}`;
    return sequence(group, name);
  });
}

/** Name of a routed part: its own, or that of the residual around the routed layers. */
const routedName = (node: NetworkNode, inside: readonly HardRoutedNode[]): string =>
  node.kind === 'hard-routed' ? node.name : `${node.name} (${inside.map(({ name }) => name).join(', ')})`;

/**
 * Bounds of a hard-routed model: none for the model itself, with the reason, but of every fixed-expert path and of every part.
 *
 * @remarks
 * Between two inputs that go to different experts the output jumps by the difference of the experts, however close the inputs are. What can be bounded is each path
 * with the expert fixed, as *Robust Experts* evaluates it, and the stretches before and after the router.
 *
 * @param network - description with at least one {@link hardRouted} layer; all with the same number of experts.
 * @param options - norm and squarings, as in {@link productBound}.
 * @throws {@link ArgumentError} if no layer is hard-routed (use {@link productBound}), or their numbers of experts differ (use `productBound` with `experts`).
 * @see {@link https://arxiv.org/abs/2509.05086 | Robust Experts, 2025} for the evaluation of single experts.
 *
 * @example
 * const { refusal, paths } = gatedBounds(network);
 * paths.forEach(({ expert, bound }) => console.log(expert, bound.value));
 */
export function gatedBounds(network: NetworkNode, options: LinearBoundOptions = {}): GatedBounds {
  expectKnownKeys('gatedBounds', options, ['norm', 'iterations']);
  const { norm = 'L2', iterations } = options;
  checkLinearOptions('gatedBounds', norm, iterations);
  const layers = routedLayers(network);
  checkRoutedNames('gatedBounds', layers);
  const counts = [...new Set(layers.map((layer) => layer.experts.length))];
  expectArgument('gatedBounds', 'network', counts.length > 0, 'have a hard-routed layer', 'none', 'Use productBound.');
  expectArgument('gatedBounds', 'numbers of experts', counts.length === 1, 'be the same in every layer', counts, 'Use productBound with options.experts.');

  const shared = { caller: 'gatedBounds', norm, iterations, kept: new Map<NetworkNode, Bound<'exact' | 'upper'>>() };
  const onPath = (expert: number): Evaluation => fixedPath(shared, Object.fromEntries(layers.map(({ name }) => [name, expert])));
  const indices = Array.from({ length: counts[0]! }, (_, expert) => expert);
  return {
    bound: undefined,
    refusal: refusal(layers),
    paths: indices.map((expert) => ({ expert, ...asProduct(evaluate(network, onPath(expert)), network) })),
    anyPath: asProduct(evaluate(network, worstPath(shared)), network).bound,
    parts: stretches(network).flatMap((node) => {
      const inside = routedLayers(node);
      if (inside.length === 0) return [evaluate(node, onPath(0))];
      return indices.map((expert) => ({ ...evaluate(node, onPath(expert)), name: `${routedName(node, inside)}/expert${expert}` }));
    }),
  };
}
