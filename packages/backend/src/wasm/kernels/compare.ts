import { type BinaryInputs, backend_util, util } from '@tensorflow/tfjs-core';
import { type WasmKernel, wasmKernel } from '../kernel.js';
import { addressOf, nativeOf } from '../native.js';

/** In the order of `Comparison` in assembly/elementwise.ts. */
const OPERATIONS = ['Equal', 'NotEqual', 'Greater', 'GreaterEqual', 'Less', 'LessEqual'] as const;

/** Comparisons of float32 tensors of one shape, or with one number; other shapes are left to the stock kernels. */
export const COMPARISON_KERNELS: readonly WasmKernel[] = OPERATIONS.map((kernelName, operation) =>
  wasmKernel<BinaryInputs, object>(kernelName, ({ inputs: { a, b }, backend }) => {
    if (a.dtype !== 'float32' || b.dtype !== 'float32') return undefined;
    const shape = backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
    const size = util.sizeFromShape(shape);
    const steps = [a, b].map((x) => (util.sizeFromShape(x.shape) === size ? 1 : util.sizeFromShape(x.shape) === 1 ? 0 : undefined));
    if (steps[0] === undefined || steps[1] === undefined) return undefined;
    const out = backend.makeOutput(shape, 'bool');
    nativeOf(backend).compare(operation, addressOf(backend, a), addressOf(backend, b), addressOf(backend, out), size, steps[0], steps[1]);
    return out;
  }),
);
