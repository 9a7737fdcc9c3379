import type { DataId, Variable } from '@tensorflow/tfjs-core';
import { isDeepStrictEqual } from 'node:util';
import { BackendError } from '@moe/core';
import type { Attribute } from '../attributes.js';
import type { Values } from '../tensors.js';

/** Output of a node: the node's number, and which of its outputs. */
export type Endpoint = readonly [node: number, output: number];

/** An argument, a closed-over tensor, a constant or an operation. */
export type Node =
  | { readonly kind: 'argument'; readonly dtype: number }
  | { readonly kind: 'captured'; readonly dtype: number; readonly from: Variable | DataId }
  | { readonly kind: 'constant'; readonly dtype: number; readonly shape: readonly number[]; readonly values: Values }
  | { readonly kind: 'operation'; readonly name: string; readonly attributes: readonly Attribute[]; readonly inputs: readonly Endpoint[]; readonly dtypes: readonly number[]; readonly constant: boolean };

/** What one call of a function did, in order. */
export interface GraphTrace {
  readonly nodes: readonly Node[];
  /** The results, then the new values of the variables that were assigned. */
  readonly outputs: readonly Endpoint[];
  readonly assigned: readonly Variable[];
}

/** The nodes on which the outputs depend, numbered anew. */
export function withoutDeadNodes({ nodes, outputs, assigned }: GraphTrace): GraphTrace {
  const alive = nodes.map(({ kind }) => kind === 'argument');
  for (const [node] of outputs) alive[node] = true;
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    if (alive[i] && node.kind === 'operation') for (const [input] of node.inputs) alive[input] = true;
  }
  let next = 0;
  const numbers = alive.map((lives) => (lives ? next++ : -1));
  const move = ([node, output]: Endpoint): Endpoint => [numbers[node]!, output];
  const kept = nodes.filter((_, i) => alive[i]).map((node) => (node.kind === 'operation' ? { ...node, inputs: node.inputs.map(move) } : node));
  return { nodes: kept, outputs: outputs.map(move), assigned };
}

const describe = (node: Node | undefined): string => {
  if (node === undefined) return 'nothing';
  if (node.kind === 'operation') return `the operation ${node.name}`;
  return node.kind === 'constant' ? `a constant of shape [${node.shape.join()}]` : `a tensor from outside`;
};

const same = (a: Node | undefined, b: Node | undefined): boolean => (a?.kind === 'captured' && b?.kind === 'captured' ? a.from === b.from && a.dtype === b.dtype : isDeepStrictEqual(a, b));

/** @throws {@link BackendError} if two calls did not do the same; what differs would be frozen. */
export function expectSame(first: GraphTrace, second: GraphTrace): void {
  const at = Array.from({ length: Math.max(first.nodes.length, second.nodes.length) }).findIndex((_, i) => !same(first.nodes[i], second.nodes[i]));
  const sameVariables = first.assigned.length === second.assigned.length && first.assigned.every((variable, i) => variable === second.assigned[i]);
  if (at < 0 && sameVariables && isDeepStrictEqual(first.outputs, second.outputs)) return;
  const [a, b] = [first.nodes[at], second.nodes[at]];
  const user = second.nodes.find((node) => node.kind === 'operation' && node.inputs.some(([input]) => input === at));
  const [before, after] = [describe(a), describe(b)];
  const what = before === after ? `${before}${user === undefined ? '' : ` for ${describe(user)}`} that differed` : `${before}, then ${after}`;
  throw new BackendError(
    `jit: two calls with inputs of the same shapes must do the same, got ${at < 0 ? 'other results' : what}. ` +
      'Pass what changes from call to call (random numbers, counters, tensors that are made anew) as an argument, and do not branch on values.',
  );
}
