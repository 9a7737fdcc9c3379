import { backend, env, getBackend, getKernel, version_core } from '@tensorflow/tfjs-core';
import { getThreadsCount } from '@tensorflow/tfjs-backend-wasm';
import { isOurs } from './ours.js';
import type { GpuAdapter } from './webgpu/gpu.js';

/** What runs now. */
export interface BackendDescription {
  /** Engine by its name in tfjs. */
  readonly engine: string;
  /** Version of `@tensorflow/tfjs-core`. */
  readonly tfjs: string;
  /** Whether the engine uses SIMD instructions. */
  readonly simd: boolean;
  /** Threads that one operation may use. */
  readonly threads: number;
  /** What `'webgpu'` runs on; no other engine has it. */
  readonly adapter?: GpuAdapter;
  /** Kinds of the devices that `'tensorflow'` found, `'CPU'` and, with CUDA, `'GPU'`; no other engine has it. */
  readonly devices?: readonly string[];
  /** Version of the TensorFlow that runs, as it says itself; no other engine has it. */
  readonly tensorflow?: string;
}

/** What the engine `'tensorflow'` says of itself. */
type Described = Required<Pick<BackendDescription, 'threads' | 'devices' | 'tensorflow'>>;

/** Describes the running engine, as plain data for logs and result files. */
export function describeBackend(): BackendDescription {
  const engine = getBackend();
  if (engine === 'tensorflow') {
    const { threads, devices, tensorflow } = backend() as unknown as Described;
    return { engine, tfjs: version_core, simd: true, threads, devices, tensorflow };
  }
  if (engine === 'webgpu') return { engine, tfjs: version_core, simd: false, threads: 1, adapter: (backend() as unknown as { readonly adapter: GpuAdapter }).adapter };
  const wasm = engine === 'wasm';
  return { engine, tfjs: version_core, simd: wasm && env().getBool('WASM_HAS_SIMD_SUPPORT'), threads: wasm ? Math.max(1, getThreadsCount()) : 1 };
}

/** Where the kernel of an operation comes from. */
export type KernelSource = 'native' | 'ours' | 'missing';

/** Kernels that building, training and attacking a convolutional network calls. */
const TRAINING_KERNELS = [
  'Add', 'AddN', 'ArgMax', 'AvgPool', 'AvgPoolGrad', 'BatchMatMul', 'Cast', 'ClipByValue', 'Concat', 'Conv2D', 'Conv2DBackpropFilter', 'Conv2DBackpropInput',
  'DepthwiseConv2dNative', 'DepthwiseConv2dNativeBackpropFilter', 'DepthwiseConv2dNativeBackpropInput', 'Einsum', 'Equal', 'Exp', 'Fill', 'FusedBatchNorm',
  'FusedConv2D', 'GatherNd', 'GatherV2', 'Greater', 'GreaterEqual', 'Identity', 'Less', 'LessEqual', 'Log', 'Max', 'MaxPool', 'MaxPoolGrad', 'Maximum', 'Mean',
  'Minimum', 'Multiply', 'Neg', 'NotEqual', 'OneHot', 'Pack', 'PadV2', 'Pow', 'RealDiv', 'Relu', 'Reshape', 'Reverse', 'Rsqrt', 'ScatterNd', 'Select', 'Sigmoid',
  'Sign', 'Slice', 'Softmax', 'SplitV', 'Sqrt', 'Square', 'SquaredDifference', 'Step', 'StridedSlice', 'Sub', 'Sum', 'Tanh', 'Tile', 'TopK', 'Transpose',
  'UnsortedSegmentSum', '_FusedMatMul',
] as const;

/**
 * Says for every kernel that training needs where an engine has it from: tfjs (`'native'`), this package (`'ours'`) or nowhere.
 *
 * @param engine - an engine that has been started; the running one by default.
 */
export function describeKernels(engine: string = getBackend()): Readonly<Record<string, KernelSource>> {
  return Object.fromEntries(
    TRAINING_KERNELS.map((name) => {
      const kernel = getKernel(name, engine);
      return [name, kernel === undefined ? 'missing' : isOurs(kernel) ? 'ours' : 'native'];
    }),
  );
}
