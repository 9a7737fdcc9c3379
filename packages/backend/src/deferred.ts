// Kernels that run when their result is first used, and never if it is not.
import {
  type BatchMatMulAttrs,
  type Conv2DBackpropFilterAttrs,
  type DataId,
  type KernelBackend,
  type KernelConfig,
  type KernelFunc,
  Tensor,
  type TensorInfo,
  engine,
  getKernel,
  registerKernel,
  unregisterKernel,
  util,
} from '@tensorflow/tfjs-core';

/** What an engine knows of one tensor: a count of its users and, under names of its own, its memory. */
interface Entry {
  refCount: number;
  [field: string]: unknown;
}

/** An engine's tensors. */
export interface Storage {
  get(dataId: DataId): Entry;
  set(dataId: DataId, entry: Entry): void;
  delete(dataId: DataId): boolean;
}

/** How an engine keeps its tensors. */
interface StorageLayout {
  readonly engineName: string;
  readonly storageOf: (backend: KernelBackend) => Storage;
  /** Fields of an entry by which kernels reach the memory. To read one is to use the tensor. */
  readonly memory: readonly string[];
}

interface Pending {
  readonly entry: Entry;
  readonly inputs: readonly DataId[];
}

type Call = Parameters<KernelFunc>[0];

/** Attribute of a call whose result is wanted for certain, so that nothing is gained by waiting. */
export const WANTED = { wanted: true } as const;

/** Shape of the result of the calls that may wait; `undefined` for those that must not. */
const SHAPES: Readonly<Record<string, (call: Call) => readonly number[] | undefined>> = {
  Conv2DBackpropFilter: ({ attrs }) => (attrs as unknown as Conv2DBackpropFilterAttrs).filterShape,
  DepthwiseConv2dNativeBackpropFilter: ({ attrs }) => (attrs as unknown as Conv2DBackpropFilterAttrs).filterShape,
  // The kernel gradient of a dense layer; other products are wanted, and those of shapes that do not fit are to be refused at once.
  BatchMatMul: ({ inputs, attrs }) => {
    const { a, b } = inputs as { a: TensorInfo; b: TensorInfo };
    const { transposeA, transposeB } = attrs as unknown as BatchMatMulAttrs;
    const batch = a.shape.slice(0, -2);
    const fits = a.shape.length >= 2 && a.shape.at(-2) === b.shape.at(-2);
    const waits = transposeA && !transposeB && fits && a.dtype === 'float32' && b.dtype === 'float32' && util.arraysEqual(batch, b.shape.slice(0, -2));
    return waits ? [...batch, a.shape.at(-1)!, b.shape.at(-1)!] : undefined;
  },
};

const PENDING = new WeakMap<DataId, Pending>();
const DEFERS = Symbol.for('moe.backend.defers');

/** Gives inputs up that were kept by their counts alone, wherever they lie by now. */
function release({ inputs }: Pending, backend: KernelBackend): void {
  for (const dataId of inputs) {
    const owner = engine().state.tensorInfo.get(dataId)?.backend ?? backend;
    if (owner.disposeData(dataId)) engine().removeDataId(dataId, owner);
  }
}

/** A result that is not there yet. Its inputs stay until it is, or until nobody can ask for it any more. */
function postpone(storage: Storage, memory: readonly string[], kernelFunc: KernelFunc, call: Call, shape: readonly number[]): TensorInfo {
  const dataId: DataId = {};
  const inputs = Object.entries(call.inputs).map(([name, input]): [string, TensorInfo] => {
    const { dataId: id, shape: size, dtype } = input as TensorInfo;
    return [name, { dataId: id, shape: size, dtype }];
  });
  const entry: Entry = { refCount: 1 };
  const pending: Pending = { entry, inputs: inputs.map(([, input]) => input.dataId) };
  const run = (field: string): unknown => {
    const result = kernelFunc({ ...call, inputs: Object.fromEntries(inputs) }) as TensorInfo;
    PENDING.delete(dataId);
    for (const name of memory) delete entry[name];
    Object.assign(entry, { ...storage.get(result.dataId), refCount: entry.refCount });
    // The memory has a new owner, hence the old one must not free it.
    storage.delete(result.dataId);
    if (result instanceof Tensor) result.dispose();
    release(pending, call.backend as KernelBackend);
    return entry[field];
  };
  for (const name of memory) Object.defineProperty(entry, name, { configurable: true, enumerable: true, get: () => run(name) });
  for (const id of pending.inputs) storage.get(id).refCount++;
  storage.set(dataId, entry);
  PENDING.set(dataId, pending);
  return { dataId, shape: [...shape], dtype: 'float32' };
}

/** Lets the engine drop a pending result. */
function watchDisposal(backend: KernelBackend & { [DEFERS]?: true }, storage: Storage): void {
  if (backend[DEFERS]) return;
  const dispose = backend.disposeData.bind(backend);
  backend.disposeData = (dataId: DataId, force = false) => {
    const pending = PENDING.get(dataId);
    if (pending === undefined) return dispose(dataId, force);
    pending.entry.refCount--;
    if (pending.entry.refCount > 0 && !force) return false;
    PENDING.delete(dataId);
    storage.delete(dataId);
    release(pending, backend);
    return true;
  };
  backend[DEFERS] = true;
}

/**
 * Makes a started engine compute filter gradients when they are first used, and never if they are not.
 *
 * @remarks
 * The layers of tfjs call fused operations, whose gradients compute those of the filter along with those of the input, wanted or not: a third of every attack step.
 * What waits keeps its inputs alive. An error of the kernel arrives where the result is used. Doing it twice is the same as once.
 */
export function deferFilterGradients(backend: KernelBackend, { engineName, storageOf, memory }: StorageLayout): void {
  watchDisposal(backend, storageOf(backend));
  for (const [name, shapeOf] of Object.entries(SHAPES)) {
    const kernel = getKernel(name, engineName) as (KernelConfig & { [DEFERS]?: true }) | undefined;
    if (kernel === undefined || kernel[DEFERS]) continue;
    unregisterKernel(name, engineName);
    const kernelFunc: KernelFunc = (call) => {
      const shape = DEFERS in (call.backend as object) && !call.attrs?.['wanted'] ? shapeOf(call) : undefined;
      return shape === undefined ? kernel.kernelFunc(call) : postpone(storageOf(call.backend as KernelBackend), memory, kernel.kernelFunc, call, shape);
    };
    registerKernel({ ...kernel, kernelFunc, [DEFERS]: true } as KernelConfig);
  }
}
