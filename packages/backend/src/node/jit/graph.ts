// A trace as the bytes of a `GraphDef` (`tensorflow/core/framework/graph.proto`).
import { BackendError } from '@moe/core';
import type { Precision } from '../../jit/compiler.js';
import { TYPES } from '../types.js';
import type { OpDefinition } from './op-definitions.js';
import { type Bytes, block, concatBytes, float, integer } from './protobuf.js';
import type { Endpoint, GraphTrace, Node } from './trace.js';

/** `DT_BFLOAT16`. */
const BFLOAT16 = 14;

/** Operations that `precision: 'bfloat16'` is about. */
const PRODUCTS: ReadonlySet<string> = new Set(['BatchMatMulV2', 'Conv2D', 'Conv2DBackpropFilter', 'Conv2DBackpropInput', 'MatMul']);

/** Version of graphs that TensorFlow 2.21 writes; it says which defaults of attributes hold. */
const PRODUCER = 1087;

/** Name of a node in the graph. Errors of TensorFlow show it, hence the operation is in it. */
export const nameOf = (nodes: readonly Node[], number: number): string => {
  const node = nodes[number];
  return `n${number}_${node?.kind === 'operation' ? node.name : node?.kind}`;
};
export const outputName = (output: number): string => `out${output}`;

const shapeOf = (shape: readonly number[]): Bytes => concatBytes(...shape.map((size) => block(2, integer(1, size))));

/** One value of `AttrValue`, whose fields have the same numbers as those of its lists. */
function encodeValue(type: string, value: unknown): Bytes {
  switch (type) {
    case 'string':
      return block(2, String(value));
    case 'int':
      return integer(3, value as number);
    case 'float':
      return float(4, value as number);
    case 'bool':
      return integer(5, Number(value));
    case 'type':
      return integer(6, value as number);
    case 'shape':
      return block(7, shapeOf(value as number[]));
    default:
      throw new BackendError(`jit: attributes of the type ${type} must not occur in a compiled function.`);
  }
}

function encodeAttribute(type: string, value: unknown): Bytes {
  const list = /^list\((.*)\)$/.exec(type)?.[1];
  return list === undefined ? encodeValue(type, value) : block(1, ...Array.from(value as ArrayLike<unknown>, (entry) => encodeValue(list, entry)));
}

const attribute = (name: string, value: Bytes): Bytes => block(5, block(1, name), block(2, value));

const node = (name: string, op: string, inputs: readonly string[], attributes: readonly Bytes[]): Bytes =>
  block(1, block(1, name), block(2, op), ...inputs.map((input) => block(3, input)), ...attributes);

function encodeConstant(name: string, { dtype, shape, values }: Extract<Node, { kind: 'constant' }>): Bytes {
  const content = ArrayBuffer.isView(values) ? [block(4, new Uint8Array(values.buffer, values.byteOffset, values.byteLength))] : values.map((string) => block(8, string));
  return node(name, 'Const', [], [attribute('dtype', integer(6, dtype)), attribute('value', block(8, integer(1, dtype), block(2, shapeOf(shape)), ...content))]);
}

/** The attributes of an operation. Those that follow from the inputs are read off them: eager calls may leave them out, graphs may not. */
function attributesOf({ name, attributes, inputs }: Extract<Node, { kind: 'operation' }>, definition: OpDefinition, dtypeOf: (input: Endpoint) => number): Map<string, unknown> {
  const all = new Map(attributes.filter((given) => definition.attributes.has(given.name)).map((given) => [given.name, given.value]));
  let at = 0;
  for (const { typeAttribute, numberAttribute, typeListAttribute } of definition.inputs) {
    const lists = definition.inputs.filter((input) => input.numberAttribute !== '' || input.typeListAttribute !== '').length;
    const rest = lists === 1 ? inputs.length - definition.inputs.length + 1 : undefined;
    const given = typeListAttribute === '' ? all.get(numberAttribute) : (all.get(typeListAttribute) as unknown[] | undefined)?.length;
    const count = numberAttribute === '' && typeListAttribute === '' ? 1 : ((given as number | undefined) ?? rest);
    if (count === undefined) throw new BackendError(`jit: the operation ${name} must say how many inputs its lists have.`);
    const dtypes = inputs.slice(at, at + count).map(dtypeOf);
    if (typeAttribute !== '' && dtypes.length > 0) all.set(typeAttribute, dtypes[0]);
    if (numberAttribute !== '') all.set(numberAttribute, count);
    if (typeListAttribute !== '') all.set(typeListAttribute, dtypes);
    at += count;
  }
  return all;
}

/** Encodes a trace. Node `i` is named {@link nameOf}, output `i` {@link outputName}. */
export function encodeGraph({ nodes, outputs }: GraphTrace, definitionOf: (name: string) => OpDefinition, precision: Precision): Bytes {
  const parts: Bytes[] = [];
  const narrowed = new Map<string, string>();
  const reference = ([i, output]: Endpoint): string => (output === 0 ? nameOf(nodes, i) : `${nameOf(nodes, i)}:${output}`);
  const dtypeOf = ([i, output]: Endpoint): number => {
    const from = nodes[i]!;
    return from.kind === 'operation' ? from.dtypes[output]! : from.dtype;
  };
  const cast = (name: string, input: string, from: number, to: number): string => {
    parts.push(node(name, 'Cast', [input], [attribute('SrcT', integer(6, from)), attribute('DstT', integer(6, to))]));
    return name;
  };
  const narrow = (input: string): string => {
    const name = narrowed.get(input) ?? cast(`narrow${narrowed.size}`, input, TYPES.TF_FLOAT, BFLOAT16);
    narrowed.set(input, name);
    return name;
  };
  const operation = (name: string, op: Extract<Node, { kind: 'operation' }>): void => {
    const definition = definitionOf(op.name);
    const attributes = attributesOf(op, definition, dtypeOf);
    const narrows = precision === 'bfloat16' && PRODUCTS.has(op.name) && attributes.get('T') === TYPES.TF_FLOAT;
    if (narrows) attributes.set('T', BFLOAT16);
    const inputs = op.inputs.map((input, i) => (narrows && definition.inputs[i]?.typeAttribute === 'T' ? narrow(reference(input)) : reference(input)));
    const encoded = [...attributes].map(([key, value]) => attribute(key, encodeAttribute(definition.attributes.get(key)!, value)));
    parts.push(node(narrows ? `${name}_narrow` : name, op.name, inputs, encoded));
    if (narrows) cast(name, `${name}_narrow`, BFLOAT16, TYPES.TF_FLOAT);
  };
  nodes.forEach((from, i) => {
    const name = nameOf(nodes, i);
    if (from.kind === 'operation') operation(name, from);
    else if (from.kind === 'constant') parts.push(encodeConstant(name, from));
    else parts.push(node(name, 'Placeholder', [], [attribute('dtype', integer(6, from.dtype))]));
  });
  outputs.forEach((output, i) => parts.push(node(outputName(i), 'Identity', [reference(output)], [attribute('T', integer(6, dtypeOf(output)))])));
  return concatBytes(...parts, block(4, integer(1, PRODUCER)));
}
