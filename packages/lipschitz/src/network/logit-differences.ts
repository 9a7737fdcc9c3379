import type { Bound } from '@moe/core';
import { expectInteger } from '@moe/core';
import { globalBound } from '../internal/bounds.js';
import { roundUp } from '../internal/rounding.js';
import { dualNorm } from '../internal/vectors.js';
import { pairBound } from '../moe/score-bounds.js';
import { sequence } from './composite-nodes.js';
import type { DenseNode, NetworkNode } from './nodes.js';
import { type ProductBoundOptions, productBound } from './product-bound.js';

/** Whether a node hands on what it gets, as the place of a softmax that was taken off does. */
const handsOn = (node: NetworkNode | undefined): boolean => node?.kind === 'constant' && (node.map?.kind === 'identity' || (node.map?.kind === 'elementwise' && node.map.activation === 'linear'));

/** The last layer as a dense one, if that is what it computes. */
function headOf(node: NetworkNode | undefined): DenseNode | undefined {
  if (node?.kind === 'dense') return node;
  return node?.kind === 'constant' && node.map?.kind === 'network' ? headOf(node.map.network) : undefined;
}

/**
 * Global bounds of the differences of two logits: the product bound up to the last layer, times the difference of two columns of its kernel.
 *
 * @remarks
 * For {@link marginCertificate}, which needs one for each competing class. Two classes whose weights are alike can hardly part, so these are no larger than c times {@link productBound} in practice, often much
 * smaller, c = √2, 2, 1 for L2, Linf, L1. A network that does not end in a dense layer gets that.
 *
 * @param options - see {@link productBound}.
 * @returns Function of two classes, computed when asked.
 * @throws {@link ArgumentError} as {@link productBound} does; the function, if a class is not one of the outputs.
 *
 * @example
 * const between = logitDifferenceBounds(describeLayersModel(model));
 * marginCertificate({ margins: [2 - 1, 2 - 0.5], bounds: [between(0, 1), between(0, 2)] });
 */
export function logitDifferenceBounds(network: NetworkNode, options: ProductBoundOptions = {}): (one: number, other: number) => Bound<'upper'> {
  const nodes = network.kind === 'sequence' ? [...network.nodes] : [network];
  while (handsOn(nodes.at(-1))) nodes.pop();
  const head = headOf(nodes.at(-1));
  if (head === undefined) {
    const bound = pairBound(productBound(network, options).bound);
    return () => bound;
  }
  const trunk = productBound(sequence(nodes.slice(0, -1)), options).bound;
  const { shape, values } = head.kernel;
  const [inputs, outputs] = shape as [number, number];
  return (one, other) => {
    for (const [name, index] of Object.entries({ one, other })) expectInteger('logitDifferenceBounds', name, index, 0, outputs - 1);
    const difference = Float64Array.from({ length: inputs }, (_, i) => values[i * outputs + one]! - values[i * outputs + other]!);
    return globalBound(roundUp(trunk.value * dualNorm(difference, trunk.norm), 3), 'upper', trunk.norm, 'product, logit difference');
  };
}
