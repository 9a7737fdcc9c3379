import { type BinaryInputs, backend_util } from '@tensorflow/tfjs-core';
import { type WasmKernel, wasmKernel } from '../kernel.js';
import { broadcastStrides, joinLoops } from '../layout.js';
import { addressOf, nativeOf } from '../native.js';

/** In the order of `Binary` in assembly/elementwise.ts. */
const OPERATIONS = ['Add', 'Sub', 'Multiply', 'RealDiv', 'Maximum', 'Minimum', 'SquaredDifference'] as const;

/** Operations on two float32 tensors; the stock kernels crawl where one of them is broadcast, Maximum and Minimum always. */
export const BINARY_KERNELS: readonly WasmKernel[] = OPERATIONS.map((kernelName, operation) =>
  wasmKernel<BinaryInputs, object>(kernelName, ({ inputs: { a, b }, backend }) => {
    if (a.dtype !== 'float32' || b.dtype !== 'float32') return undefined;
    const shape = backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
    const loops = joinLoops(shape, [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)]);
    if (loops === undefined) return undefined;
    const out = backend.makeOutput(shape, 'float32');
    const [aStrides, bStrides] = loops.strides;
    nativeOf(backend).binary(operation, addressOf(backend, a), addressOf(backend, b), addressOf(backend, out), ...loops.sizes, ...aStrides!, ...bStrides!);
    return out;
  }),
);
