// TensorFlow orders no strings, so these are compared on the side of JavaScript, as the engine `cpu` does.
import { shared } from '@tensorflow/tfjs-backend-cpu';
import { type BinaryInputs, type TensorInfo, backend_util } from '@tensorflow/tfjs-core';
import { TYPES } from '../types.js';
import { type TensorflowKernel, tensorflowKernel } from './kernel.js';
import type { Engine } from './operations.js';

const COMPARISONS = { Greater: shared.greaterImpl, GreaterEqual: shared.greaterEqualImpl, Less: shared.lessImpl, LessEqual: shared.lessEqualImpl };

const textsOf = (engine: Engine, { dataId }: TensorInfo): string[] => backend_util.fromUint8ToStringArray(engine.readSync(dataId) as Uint8Array[]);

/** Comparisons of strings; of numbers the stock kernels do them. */
export const STRING_COMPARISONS: readonly TensorflowKernel[] = Object.entries(COMPARISONS).map(([name, compare]) =>
  tensorflowKernel<BinaryInputs, unknown>(name, ({ inputs: { a, b }, engine }) => {
    if (a.dtype !== 'string') return undefined;
    const [values, shape] = compare(a.shape, b.shape, textsOf(engine, a), textsOf(engine, b), 'bool');
    return engine.createOutputTensor({ id: engine.binding.createTensor(shape, TYPES.TF_BOOL, values), shape, dtype: TYPES.TF_BOOL });
  }),
);
