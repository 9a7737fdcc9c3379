import type { Bound } from '@moe/core';
import { ArgumentError, expectArgument, expectInteger, expectKnownKeys } from '@moe/core';
import { type LinearBoundOptions, checkLinearOptions, globalBound } from '../internal/bounds.js';
import { type BoundPart, type Evaluation, evaluate, routedLayers } from './evaluate.js';
import type { HardRoutedNode, NetworkNode } from './nodes.js';

export interface ProductBoundOptions extends LinearBoundOptions {
  /** The expert to fix in each hard-routed layer, by layer name; such a path is continuous. */
  readonly experts?: Readonly<Record<string, number>>;
}

/** Bound of a network, and of its parts. */
export interface ProductBound {
  readonly bound: Bound<'upper'>;
  /** Factors of the bound, in the order of execution. */
  readonly parts: readonly BoundPart[];
}

/** Why a hard-routed network has no constant. */
export const refusal = (layers: readonly HardRoutedNode[]): string =>
  `The output jumps where the router of ${layers.map(({ name }) => `'${name}'`).join(', ')} changes its choice, so no Lipschitz constant exists for the gated model.`;

/** Options name layers, so two layers must not share a name; one layer used twice may. */
export function checkRoutedNames(caller: string, layers: readonly HardRoutedNode[]): void {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  const clash = layers.find((layer) => byName.get(layer.name) !== layer);
  expectArgument(caller, 'names of hard-routed layers', clash === undefined, 'differ', clash?.name);
}

/** The path with one expert fixed in every hard-routed layer. */
export function fixedPath(evaluation: Omit<Evaluation, 'routed'>, experts: Readonly<Record<string, number>>): Evaluation {
  const fixed: Evaluation = {
    ...evaluation,
    routed: (node) => {
      const part = evaluate(node.experts[experts[node.name]!]!, fixed);
      return { name: `${node.name}/expert${experts[node.name]}`, bound: part.bound, parts: part.parts };
    },
  };
  return fixed;
}

export function asProduct(root: BoundPart, node: NetworkNode): ProductBound {
  return { bound: globalBound(root.bound.value, 'upper', root.bound.norm, 'product'), parts: node.kind === 'sequence' ? root.parts : [root] };
}

/**
 * Sound global Lipschitz bound of a network: the product of its layers' bounds, with sums at residual connections.
 *
 * @remarks
 * Bounds the map in real arithmetic that the weights describe; every step is rounded outward. Loose for deep networks: it takes every layer at its worst at once.
 *
 * @param network - description made of {@link sequence}, {@link residual}, {@link conv2d} and so on, or by {@link describeLayersModel}.
 * @param options - see {@link ProductBoundOptions}; the norm holds for input, output and everything between.
 * @returns The bound and its factors.
 * @throws {@link ArgumentError} if a hard-routed layer has no fixed expert, since then no bound exists (see {@link gatedBounds}), or a layer has no constant in the norm.
 *
 * @example
 * const { bound } = productBound(sequence([dense({ kernel }), relu(), dense({ kernel: head })]));
 */
export function productBound(network: NetworkNode, options: ProductBoundOptions = {}): ProductBound {
  expectKnownKeys('productBound', options, ['norm', 'iterations', 'experts']);
  const { norm = 'L2', iterations, experts = {} } = options;
  checkLinearOptions('productBound', norm, iterations);
  const layers = routedLayers(network);
  checkRoutedNames('productBound', layers);
  const unknown = Object.keys(experts).find((name) => !layers.some((layer) => layer.name === name));
  expectArgument('productBound', 'experts', unknown === undefined, `name hard-routed layers (${layers.map(({ name }) => name).join(', ') || 'there is none'})`, unknown);
  const open = layers.filter(({ name }) => experts[name] === undefined);
  if (open.length > 0) throw new ArgumentError(`productBound: ${refusal(open)} Fix an expert with options.experts, or ask gatedBounds for every path and part.`);
  for (const layer of layers) expectInteger('productBound', `experts['${layer.name}']`, experts[layer.name]!, 0, layer.experts.length - 1);
  const evaluation = fixedPath({ caller: 'productBound', norm, iterations, kept: new Map() }, experts);
  return asProduct(evaluate(network, evaluation), network);
}
