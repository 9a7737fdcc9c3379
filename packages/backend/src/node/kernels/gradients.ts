// Gradients that TensorFlow computes in one operation.
import { type FusedBatchNormAttrs, type KernelFunc, type LeakyReluAttrs, type NamedTensorInfoMap, type Tensor, type TensorInfo, getKernel, registerKernel, tensor1d } from '@tensorflow/tfjs-core';
import type { Attribute } from '../attributes.js';
import { TYPES } from '../types.js';

interface Executor {
  executeSingleOutput(name: string, attributes: readonly Attribute[], inputs: readonly TensorInfo[]): Tensor;
  executeMultipleOutputs(name: string, attributes: readonly Attribute[], inputs: readonly TensorInfo[], outputs: number): Tensor[];
}

type Call = Parameters<KernelFunc>[0];

const type = (name: string, value: number = TYPES.TF_FLOAT): Attribute => ({ name, type: TYPES.TF_ATTR_TYPE, value });
const float = (name: string, value: number): Attribute => ({ name, type: TYPES.TF_ATTR_FLOAT, value });
const executor = ({ backend }: Call): Executor => backend as Executor;

/** Gradient of an activation from its input or output. */
const slope =
  (name: string, attributes: (attrs: unknown) => readonly Attribute[] = () => []): KernelFunc =>
  (call) => {
    const { dy, features } = call.inputs as { dy: TensorInfo; features: TensorInfo };
    return executor(call).executeSingleOutput(name, [type('T'), ...attributes(call.attrs)], [dy, features]);
  };

const broadcastTo: KernelFunc = (call) => {
  const { x } = call.inputs as { x: TensorInfo };
  const shape = tensor1d((call.attrs as unknown as { shape: number[] }).shape, 'int32');
  try {
    return executor(call).executeSingleOutput('BroadcastTo', [type('T', x.dtype === 'int32' ? TYPES.TF_INT32 : TYPES.TF_FLOAT), type('Tidx', TYPES.TF_INT32)], [x, shape]);
  } finally {
    shape.dispose();
  }
};

const inTraining = ({ attrs }: Call): readonly Attribute[] => [
  type('T'),
  type('U'),
  float('epsilon', (attrs as unknown as FusedBatchNormAttrs).varianceEpsilon),
  { name: 'data_format', type: TYPES.TF_ATTR_STRING, value: 'NHWC' },
  { name: 'is_training', type: TYPES.TF_ATTR_BOOL, value: true },
];

/** Runs an operation that has more outputs than anyone wants. */
function chosen(outputs: Tensor[], choice: readonly number[]): Tensor[] {
  outputs.forEach((output, i) => choice.includes(i) || output.dispose());
  return choice.map((i) => outputs[i]!);
}

/** Batch norm `[B,H,W,C]` with the statistics of the batch → result, mean, biased variance. */
const batchNormTraining: KernelFunc = (call) => {
  const { x, scale, offset } = call.inputs as NamedTensorInfoMap & { x: TensorInfo; scale: TensorInfo; offset: TensorInfo };
  const empty = tensor1d([]);
  try {
    return chosen(executor(call).executeMultipleOutputs('FusedBatchNormV3', [...inTraining(call), float('exponential_avg_factor', 1)], [x, scale, offset, empty, empty], 6), [0, 3, 4]);
  } finally {
    empty.dispose();
  }
};

/** Gradients of the former in x, scale and offset. The last input is scratch memory of CUDA. */
const batchNormTrainingGrad: KernelFunc = (call) => {
  const { dy, x, scale, mean, variance } = call.inputs as Record<'dy' | 'x' | 'scale' | 'mean' | 'variance', TensorInfo>;
  const empty = tensor1d([]);
  try {
    return chosen(executor(call).executeMultipleOutputs('FusedBatchNormGradV3', inTraining(call), [dy, x, scale, mean, variance, empty], 5), [0, 1, 2]);
  } finally {
    empty.dispose();
  }
};

const KERNELS: Readonly<Record<string, KernelFunc>> = {
  BroadcastTo: broadcastTo,
  ReluGrad: slope('ReluGrad'),
  Relu6Grad: slope('Relu6Grad'),
  LeakyReluGrad: slope('LeakyReluGrad', (attrs) => [float('alpha', (attrs as LeakyReluAttrs).alpha)]),
};

/** The reserved outputs mean something else on a GPU. */
const CPU_KERNELS: Readonly<Record<string, KernelFunc>> = { BatchNormTraining: batchNormTraining, BatchNormTrainingGrad: batchNormTrainingGrad };

/** Registers kernels for gradients that other engines compose of several operations. */
export function registerGradientKernels(engine: string, onGpu: boolean): void {
  for (const [kernelName, kernelFunc] of Object.entries({ ...KERNELS, ...(onGpu ? {} : CPU_KERNELS) })) {
    if (getKernel(kernelName, engine) === undefined) registerKernel({ kernelName, backendName: engine, kernelFunc });
  }
}
