// The engine's class: that of `@tensorflow/tfjs-node-gpu`, with shorter ways where every operation goes.
import { type BackendValues, type DataId, type DataType, type KernelBackend, type Tensor, type TensorInfo, engine } from '@tensorflow/tfjs-core';
import { BackendError } from '@moe/core';
import type { Attribute } from './attributes.js';
import type { Binding, TensorMetadata } from './binding.js';
import { DTYPES } from './kernels/attribute.js';
import { type Entry, type TensorMap, createTensorMap } from './tensor-map.js';
import type { Values } from './tensors.js';
import { TYPES } from './types.js';

/** The parts of `NodeJSKernelBackend` through which every operation goes. */
interface StockBackend extends KernelBackend {
  binding: Pick<Binding, 'createTensor' | 'deleteTensor' | 'executeOp' | 'getNumOfTensors'>;
  tensorMap: TensorMap;
  getInputTensorIds(tensors: readonly Pick<TensorInfo, 'dataId'>[]): number[];
  createOutputTensor(metadata: TensorMetadata): Tensor;
  executeSingleOutput(name: string, attributes: readonly Attribute[], inputs: readonly TensorInfo[]): Tensor;
  executeMultipleOutputs(name: string, attributes: readonly Attribute[], inputs: readonly TensorInfo[], outputs: number): Tensor[];
}

/** The engine. */
export interface NodeBackend extends StockBackend {
  /** Runs an operation with one result, whose shape and type are those of `like`: TensorFlow is not asked for them. */
  executeAlike(name: string, inputs: readonly TensorInfo[], like: TensorInfo): Tensor;
}

type NodeBackendClass = new (binding: Binding, packageName: string) => StockBackend;

/** Types of tfjs for those of TensorFlow's results. What tfjs has no name for keeps its own type in the engine, and its values. */
const NAMES: Readonly<Record<number, DataType>> = {
  ...Object.fromEntries(Object.entries(DTYPES).map(([name, dtype]) => [dtype, name as DataType])),
  [TYPES.TF_INT64]: 'int32',
  [TYPES.TF_UINT8]: 'int32',
  [TYPES.TF_RESOURCE]: 'string',
};

/**
 * Makes the engine of `@tensorflow/tfjs-node-gpu` run on a binding.
 *
 * @remarks
 * What is replaced does the same in less time: one look at a tensor where there were four, and no weak maps. Tensors of int64 are made without a line on the console for each.
 *
 * @param Stock - `NodeJSKernelBackend`.
 */
export function createBackend(Stock: NodeBackendClass, binding: Binding): NodeBackend {
  class TensorflowBackend extends Stock {
    override getInputTensorIds(tensors: readonly Pick<TensorInfo, 'dataId'>[]): number[] {
      const ids: number[] = [];
      for (let i = 0; i < tensors.length; i++) {
        const { dataId } = tensors[i]!;
        // Scalars of int64, which are no tensors of tfjs.
        if (dataId === undefined) ids.push(...super.getInputTensorIds([tensors[i]!]));
        else ids.push(this.#idOf(this.tensorMap.get(dataId)));
      }
      return ids;
    }

    /** Number of a tensor in the binding; values that wait are handed over first. */
    #idOf(entry: Entry): number {
      if (entry.values) {
        entry.id = this.binding.createTensor(entry.shape, entry.dtype, entry.values);
        entry.values = null;
      }
      return entry.id;
    }

    override createOutputTensor({ id, shape, dtype }: TensorMetadata): Tensor {
      const name = NAMES[dtype];
      if (name === undefined) throw new BackendError(`executeOp: results must have a type that tfjs knows, got TensorFlow's type ${dtype}.`);
      const dataId = {};
      this.tensorMap.set(dataId, { id, shape, dtype, values: null, refCount: 1 });
      return engine().makeTensorFromTensorInfo({ dataId, shape, dtype: name }, this);
    }

    override executeSingleOutput(name: string, attributes: readonly Attribute[], inputs: readonly TensorInfo[]): Tensor {
      return this.createOutputTensor(this.binding.executeOp(name, attributes, this.getInputTensorIds(inputs), 1)[0]!);
    }

    executeAlike(name: string, inputs: readonly TensorInfo[], { shape, dtype }: TensorInfo): Tensor {
      return this.createOutputTensor(this.binding.executeOp(name, [], this.getInputTensorIds(inputs), 1, { shape, dtype: DTYPES[dtype] })[0]!);
    }

    override move(dataId: DataId, values: BackendValues, shape: number[], dtype: DataType, refCount: number): void {
      this.tensorMap.set(dataId, { id: -1, shape, dtype: DTYPES[dtype], values: values as Values, refCount });
    }

    override numDataIds(): number {
      return this.tensorMap.size;
    }

    override disposeData(dataId: DataId, force = false): boolean {
      const entry = this.tensorMap.find(dataId);
      if (entry === undefined) return true;
      entry.refCount--;
      if (!force && entry.refCount > 0) return false;
      if (entry.id >= 0) this.binding.deleteTensor(entry.id);
      this.tensorMap.delete(dataId);
      return true;
    }
  }
  const backend = new TensorflowBackend(binding, '@moe/backend');
  backend.tensorMap = createTensorMap((dataId) => engine().moveData(backend, dataId));
  return backend;
}
