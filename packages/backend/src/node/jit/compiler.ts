import { type DataId, Variable, dispose } from '@tensorflow/tfjs-core';
import { BackendError } from '@moe/core';
import type { CompiledFunction, Compiler, FrozenConstant } from '../../jit/compiler.js';
import type { NodeBackend } from '../backend.js';
import type { Context } from '../context.js';
import { text } from '../kernels/attribute.js';
import type { Library } from '../library.js';
import type { Status } from '../status.js';
import { TYPES } from '../types.js';
import { addFunction, removeFunction } from './functions.js';
import { encodeGraph, nameOf } from './graph.js';
import { createOpDefinitions } from './op-definitions.js';
import { block, integer } from './protobuf.js';
import { record } from './recorder.js';
import { type GraphTrace, type Node, expectSame, withoutDeadNodes } from './trace.js';

/** Constants up to this size are literals of the program: axes, shapes, means of channels. */
const LITERAL_SIZE = 16;

/** A `ConfigProto`, without which a call of a function leaves its graph as it is: fuse what can be fused, but fold no constants, which rounds differently from the operations themselves. */
const OFF = 2;
const CONFIG = text('config_proto', Buffer.from(block(10, block(10, integer(3, OFF)))).toString());

const DTYPES: Readonly<Record<number, string>> = { [TYPES.TF_FLOAT]: 'float32', [TYPES.TF_INT32]: 'int32', [TYPES.TF_BOOL]: 'bool', [TYPES.TF_COMPLEX64]: 'complex64', [TYPES.TF_STRING]: 'string' };

/** Constants that may be data: large ones whose values are not all the same. */
function frozenOf({ nodes }: GraphTrace): FrozenConstant[] {
  return nodes.flatMap((node, i) => {
    if (node.kind !== 'constant' || node.values.length <= LITERAL_SIZE || Array.from(node.values as ArrayLike<unknown>).every((value) => value === node.values[0])) return [];
    const user = nodes.find((other) => other.kind === 'operation' && other.inputs.some(([input]) => input === i));
    return [{ shape: node.shape, dtype: DTYPES[node.dtype] ?? String(node.dtype), usedBy: user?.kind === 'operation' ? user.name : 'the result' }];
  });
}

/** Lets the engine compile functions. `handles` tells the type of a tensor by its number. */
export function createCompiler(library: Library, status: Status, context: Context, backend: NodeBackend, dtypeOf: (id: number) => number): Compiler {
  const definitionOf = createOpDefinitions(library);
  let recording = false;
  let made = 0;

  const captured = (from: Variable | DataId): { dataId: DataId } => {
    const dataId = from instanceof Variable ? from.dataId : from;
    if (!backend.tensorMap.has(dataId)) throw new BackendError('jit: a tensor that the function closed over was disposed. Keep it, pass it as an argument, or make it a variable.');
    return { dataId };
  };

  return {
    get recording() {
      return recording;
    },
    record(inputs, fn) {
      recording = true;
      try {
        const { outputs, trace } = record(backend, dtypeOf, inputs, fn);
        return { outputs, trace: withoutDeadNodes(trace) };
      } finally {
        recording = false;
      }
    },
    compile(first, second, precision): CompiledFunction {
      const trace = second as GraphTrace;
      expectSame(first as GraphTrace, trace);
      const parameters = trace.nodes.flatMap(({ kind }, i) => (kind === 'argument' || kind === 'captured' ? [i] : []));
      // Arguments that are one and the same tensor are one node, whose number is that of the first.
      const closures = parameters.map((i) => trace.nodes[i] as Extract<Node, { kind: 'argument' | 'captured' }>).filter((node) => node.kind === 'captured');
      const name = `jit_${made++}`;
      addFunction(library, status, context, name, encodeGraph(trace, definitionOf, precision), parameters.map((i) => nameOf(trace.nodes, i)), trace.outputs.length);
      return {
        frozen: frozenOf(trace),
        call(inputs) {
          if (trace.assigned.some(({ isDisposed }) => isDisposed)) throw new BackendError('jit: a variable that the function assigns was disposed. Keep it.');
          const distinct = [...new Map(inputs.map(({ dataId }) => [dataId, { dataId }])).values()];
          const ids = backend.getInputTensorIds([...distinct, ...closures.map(({ from }) => captured(from))]);
          const values = backend.binding.executeOp(name, [CONFIG], ids, trace.outputs.length).map((output) => backend.createOutputTensor(output));
          const assigned = values.splice(values.length - trace.assigned.length);
          trace.assigned.forEach((variable, i) => variable.assign(assigned[i]!));
          dispose(assigned);
          return values;
        },
        dispose: () => removeFunction(library, status, context, name),
      };
    },
  };
}
