import { type DataId, type Tensor, type TensorInfo, type Variable, engine } from '@tensorflow/tfjs-core';
import { BackendError } from '@moe/core';
import type { NodeBackend } from '../backend.js';
import type { Values } from '../tensors.js';
import type { Endpoint, GraphTrace, Node } from './trace.js';

/** The type of a tensor that came from outside, as its handle has it. */
type DtypeOf = (id: number) => number;

/**
 * Runs a function on the engine and notes its operations.
 *
 * @remarks
 * The functions of the engine are replaced meanwhile, so that calls outside pay nothing.
 */
export function record(backend: NodeBackend, dtypeOf: DtypeOf, inputs: readonly Tensor[], fn: () => Tensor[]): { outputs: Tensor[]; trace: GraphTrace } {
  const nodes: Node[] = [];
  const endpoints = new Map<number, Endpoint>();
  /** Tensors whose values were given during the call. */
  const written = new Set<DataId>();
  const owners = new Map<number, DataId>();
  const variables = Object.values(engine().registeredVariables);
  const contents = variables.map(({ dataId }) => dataId);
  const { binding } = backend;
  let depth = 0;

  const add = (node: Node, id: number): Endpoint => {
    const endpoint: Endpoint = [nodes.push(node) - 1, 0];
    endpoints.set(id, endpoint);
    return endpoint;
  };
  const endpointOf = (id: number): Endpoint => {
    const found = endpoints.get(id);
    if (found !== undefined) return found;
    const dataId = owners.get(id);
    if (dataId === undefined) throw new BackendError('jit: every tensor must come from an argument, a closed-over tensor or an operation, got one that the engine made by itself.');
    const variable: Variable | undefined = variables[contents.indexOf(dataId)];
    return add({ kind: 'captured', dtype: dtypeOf(id), from: variable ?? dataId }, id);
  };
  const isConstant = (id: number): boolean => {
    const node = nodes[endpoints.get(id)?.[0] ?? -1];
    return node?.kind === 'constant' || (node?.kind === 'operation' && node.constant);
  };

  const recording: typeof backend.binding = {
    ...binding,
    createTensor(shape, dtype, values) {
      const id = binding.createTensor(shape, dtype, values);
      if (depth === 0) add({ kind: 'constant', dtype, shape: [...shape], values: values.slice() as Values }, id);
      return id;
    },
    // Numbers of deleted tensors are given again.
    deleteTensor(id) {
      binding.deleteTensor(id);
      endpoints.delete(id);
      owners.delete(id);
    },
    executeOp(name, attributes, ids, outputs, known) {
      const results = binding.executeOp(name, attributes, ids, outputs, known);
      const constant = ids.every(isConstant);
      const from = ids.map(endpointOf);
      const node = nodes.push({ kind: 'operation', name, attributes, inputs: from, dtypes: results.map(({ dtype }) => dtype), constant }) - 1;
      results.forEach(({ id }, output) => endpoints.set(id, [node, output]));
      return results;
    },
  };

  /** Numbers of tensors. Values from outside, which wait until first use, are handed over as what they are: no constants. */
  const idsOf = (tensors: readonly Pick<TensorInfo, 'dataId'>[]): number[] => {
    for (const tensor of tensors) {
      if (tensor.dataId === undefined || written.has(tensor.dataId) || !backend.tensorMap.get(tensor.dataId).values) continue;
      depth++;
      original.getInputTensorIds([tensor]);
      depth--;
    }
    const ids = original.getInputTensorIds(tensors);
    tensors.forEach(({ dataId }, i) => owners.set(ids[i]!, dataId));
    return ids;
  };

  const prototype = Object.getPrototypeOf(backend) as NodeBackend;
  const original = {
    getInputTensorIds: prototype.getInputTensorIds.bind(backend),
    move: prototype.move.bind(backend),
    readSync: prototype.readSync.bind(backend),
  };
  const ids = original.getInputTensorIds(inputs);
  inputs.forEach((_, i) => endpoints.get(ids[i]!) ?? add({ kind: 'argument', dtype: dtypeOf(ids[i]!) }, ids[i]!));
  const replacements: Pick<NodeBackend, 'binding' | 'getInputTensorIds' | 'move' | 'readSync'> = {
    binding: recording,
    getInputTensorIds: idsOf,
    move(dataId, ...rest) {
      written.add(dataId);
      original.move(dataId, ...rest);
    },
    readSync(dataId) {
      if (!written.has(dataId) && !isConstant(backend.tensorMap.get(dataId).id)) {
        throw new BackendError('jit: values must not be read (data, dataSync, print) while a function is traced: what depends on them would be frozen. Read them outside, or do not compile this function.');
      }
      return original.readSync(dataId);
    },
  };
  Object.assign(backend, replacements);
  try {
    const outputs = fn();
    const assigned = variables.filter(({ dataId }, i) => dataId !== contents[i]);
    const results = idsOf([...outputs, ...assigned]).map(endpointOf);
    return { outputs, trace: { nodes, outputs: results, assigned } };
  } finally {
    Object.assign(backend, { binding });
    for (const name of ['getInputTensorIds', 'move', 'readSync'] as const) delete (backend as Partial<NodeBackend>)[name];
  }
}
