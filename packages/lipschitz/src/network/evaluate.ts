import type { OperatorNorm, SoundBound } from '@moe/core';
import { ArgumentError } from '@moe/core';
import { globalBound } from '../internal/bounds.js';
import { convNorm } from '../internal/conv-norms.js';
import { denseNorm } from '../internal/dense-norms.js';
import { roundUp } from '../internal/rounding.js';
import type { HardRoutedNode, NetworkNode } from './nodes.js';

/** The bound of one part of a network, and of the parts inside it. */
export interface BoundPart {
  readonly name: string;
  readonly bound: SoundBound;
  /** What the bound was made of: factors of a sequence, branches of a residual, the fixed expert; empty for a single layer. */
  readonly parts: readonly BoundPart[];
}

/** How {@link evaluate} goes about: bounds of single layers are kept, so that paths through one network share them. */
export interface Evaluation {
  readonly caller: string;
  readonly norm: OperatorNorm;
  readonly iterations: number | undefined;
  readonly kept: Map<NetworkNode, SoundBound>;
  /** Bounds a hard-routed layer, or throws. */
  routed(node: HardRoutedNode): BoundPart;
}

function leafBound(node: Exclude<NetworkNode, { kind: 'sequence' | 'sum' | 'concat' | 'hard-routed' }>, { caller, norm, iterations }: Evaluation): SoundBound {
  switch (node.kind) {
    case 'dense':
      return denseNorm(node.kernel, norm, iterations);
    case 'conv2d':
      return convNorm(node.operator, norm, iterations);
    case 'scale': {
      const largest = node.factors.reduce((best, factor) => Math.max(best, Math.abs(factor)), 0);
      // A sum, a root and a division made the factor.
      return globalBound(roundUp(largest, 3), 'exact', norm, 'largest-factor');
    }
    case 'constant': {
      const bound = node.bounds[norm];
      if (bound === undefined) throw new ArgumentError(`${caller}: '${node.name}' must have a constant in ${norm}, got ${Object.keys(node.bounds).join(', ') || 'none'}. Use one of these norms.`);
      return bound;
    }
  }
}

/** The bound of a node, with the parts it was made of; every product and sum rounded outward. */
export function evaluate(node: NetworkNode, evaluation: Evaluation): BoundPart {
  const { norm } = evaluation;
  if (node.kind === 'hard-routed') return evaluation.routed(node);
  if (node.kind === 'sequence' || node.kind === 'sum') {
    const parts = (node.kind === 'sequence' ? node.nodes : node.branches).map((child) => evaluate(child, evaluation));
    const value =
      node.kind === 'sequence'
        ? parts.reduce((product, part) => roundUp(product * part.bound.value, 0), 1)
        : parts.reduce((sum, part) => roundUp(sum + part.bound.value, 0), 0);
    return { name: node.name, bound: globalBound(value, 'upper', norm, node.kind === 'sequence' ? 'product' : 'sum'), parts };
  }
  if (node.kind === 'concat') {
    const parts = node.branches.map((child) => evaluate(child, evaluation));
    const values = parts.map(({ bound }) => bound.value);
    const total = (each: (value: number) => number): number => roundUp(values.reduce((sum, value) => sum + each(value), 0), values.length);
    const value = norm === 'L2' ? roundUp(Math.sqrt(total((each) => each * each)), 2) : norm === 'L1' ? total((each) => each) : Math.max(...values);
    return { name: node.name, bound: globalBound(value, 'upper', norm, 'concat'), parts };
  }
  if (node.kind === 'constant' && node.map?.kind === 'network' && node.bounds[norm]?.status !== 'exact') {
    const given = node.bounds[norm];
    const { bound } = evaluate(node.map.network, evaluation);
    return { name: node.name, bound: given !== undefined && given.value <= bound.value ? given : bound, parts: [] };
  }
  const bound = evaluation.kept.get(node) ?? leafBound(node, evaluation);
  evaluation.kept.set(node, bound);
  return { name: node.name, bound, parts: [] };
}

/** Hard-routed layers in the order of their execution, those inside experts included. */
export function routedLayers(node: NetworkNode): HardRoutedNode[] {
  switch (node.kind) {
    case 'sequence':
      return node.nodes.flatMap(routedLayers);
    case 'sum':
    case 'concat':
      return node.branches.flatMap(routedLayers);
    case 'hard-routed':
      return [node, ...node.experts.flatMap(routedLayers)];
    case 'constant':
      return node.map?.kind === 'network' ? routedLayers(node.map.network) : [];
    default:
      return [];
  }
}
