import { ShapeError, expectArgument, expectKnownKeys } from '@moe/core';
import { scaleAlong } from '../internal/arrays.js';
import { convMap, denseMap } from '../internal/linear-maps.js';
import { identity } from './constant-nodes.js';
import type { ConcatNode, ConvNode, DenseNode, HardRoutedNode, NetworkNode, ScaleNode, SequenceNode, SumNode } from './nodes.js';

type LinearNode = DenseNode | ConvNode;

const spread = (values: Float64Array, length: number): Float64Array => Float64Array.from({ length }, (_, i) => values[i % values.length]!);

/** The bias of a linear layer with the scale after it: `b f + t`. */
function biasAfter(bias: Float64Array | undefined, { factors, shifts }: ScaleNode): Float64Array | undefined {
  if (bias === undefined || shifts === undefined) return undefined;
  const length = Math.max(bias.length, factors.length, shifts.length);
  return Float64Array.from({ length }, (_, i) => bias[i % bias.length]! * factors[i % factors.length]! + shifts[i % shifts.length]!);
}

/** The bias of a linear layer with the scale before it: `b + K t`, which differs at the border where a convolution pads with zeros after the shift. */
function biasBehind(linear: LinearNode, { shifts }: ScaleNode): Float64Array | undefined {
  const { bias } = linear;
  if (bias === undefined || shifts === undefined) return undefined;
  if (shifts.every((shift) => shift === 0)) return bias;
  const map = linear.kind === 'dense' ? denseMap(linear.kernel) : convMap(linear.operator);
  return map.apply(spread(shifts, map.inputs)).map((value, i) => value + bias[i % bias.length]!);
}

/** The linear node with `factors` on its outputs (the last kernel axis) or its inputs (the last but one). */
function folded(linear: LinearNode, scale: ScaleNode, side: 'inputs' | 'outputs'): LinearNode {
  const kernel = linear.kind === 'dense' ? linear.kernel : linear.operator.kernel;
  const axis = kernel.shape.length - (side === 'outputs' ? 1 : 2);
  const { factors } = scale;
  if (factors.length !== 1 && factors.length !== kernel.shape[axis]) {
    throw new ShapeError(`sequence: '${scale.name}' must have ${kernel.shape[axis]} factors, the ${side} of '${linear.name}', got ${factors.length}.`);
  }
  const scaled = scaleAlong(kernel, axis, spread(factors, kernel.shape[axis]!));
  const bias = side === 'outputs' ? biasAfter(linear.bias, scale) : biasBehind(linear, scale);
  const name = side === 'outputs' ? `${linear.name}+${scale.name}` : `${scale.name}+${linear.name}`;
  return linear.kind === 'dense' ? { ...linear, name, kernel: scaled, bias } : { ...linear, name, operator: { ...linear.operator, kernel: scaled }, bias };
}

const isLinear = (node: NetworkNode | undefined): node is LinearNode => node?.kind === 'dense' || node?.kind === 'conv2d';

/**
 * Maps one after the other, the first applied first.
 *
 * @remarks
 * Batch norm and other channel factors next to a dense layer or a convolution are folded into its kernel: ‖diag(γ) W‖ instead of the looser
 * max |γ| · ‖W‖. Sequences inside are flattened.
 *
 * @throws {@link ShapeError} if a neighbour has another number of channels.
 *
 * @example
 * sequence([conv2d({ kernel, inputSize: 28, padding: 'same' }), batchNorm({ gamma, variance, epsilon: 1e-3 }), relu()]);
 */
export function sequence(nodes: readonly NetworkNode[], name = 'sequence'): SequenceNode {
  const merged: NetworkNode[] = [];
  for (const node of nodes.flatMap((item) => (item.kind === 'sequence' ? item.nodes : [item]))) {
    const last = merged.at(-1);
    if (node.kind === 'scale' && isLinear(last)) merged[merged.length - 1] = folded(last, node, 'outputs');
    else if (isLinear(node) && last?.kind === 'scale' && fits(last, node)) merged[merged.length - 1] = folded(node, last, 'inputs');
    else merged.push(node);
  }
  return { kind: 'sequence', name, nodes: merged };
}

/** Whether the factors belong to this layer's inputs; not so where a flatten lies between them. */
function fits({ factors }: ScaleNode, node: LinearNode): boolean {
  const { shape } = node.kind === 'dense' ? node.kernel : node.operator.kernel;
  return factors.length === 1 || factors.length === shape[shape.length - 2];
}

/**
 * The sum of two maps of the same input: constants add.
 *
 * @param main - for instance the convolutions of a residual block.
 * @param skip - the way around them. @defaultValue the identity
 */
export function residual(main: NetworkNode, skip: NetworkNode = identity('skip'), name = 'residual'): SumNode {
  return { kind: 'sum', name, branches: [main, skip] };
}

/**
 * Maps of the same input with their outputs side by side: in L2 the root of the sum of squares, in Linf the largest, in L1 the sum.
 *
 * @remarks
 * Also a bound of the entrywise maximum or minimum of the outputs.
 */
export function concat(branches: readonly NetworkNode[], name = 'concat'): ConcatNode {
  expectArgument('concat', 'branches', branches.length > 0, 'have at least one entry', branches.length);
  return { kind: 'concat', name, branches: [...branches] };
}

/**
 * A layer whose router picks experts, so that its output jumps where the choice changes.
 *
 * @remarks
 * It has no global Lipschitz constant. {@link productBound} bounds it with an expert fixed; {@link gatedBounds} gives all that can be said of the gated model.
 *
 * @param options - `name` as in the `experts` option of a forward pass; `experts` in the order of their indices.
 */
export function hardRouted(options: { readonly name: string; readonly experts: readonly NetworkNode[] }): HardRoutedNode {
  expectKnownKeys('hardRouted', options, ['name', 'experts']);
  expectArgument('hardRouted', 'experts', options.experts.length > 0, 'have at least one expert', options.experts.length);
  return { kind: 'hard-routed', name: options.name, experts: [...options.experts] };
}
