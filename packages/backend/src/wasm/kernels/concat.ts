import { type ConcatAttrs, type TensorInfo, backend_util, util } from '@tensorflow/tfjs-core';
import { wasmKernel } from '../kernel.js';
import { addressOf, nativeOf } from '../native.js';

/** Tensors end to end along an axis. */
export const concat = wasmKernel<Record<number, TensorInfo>, ConcatAttrs>('Concat', ({ inputs, attrs, backend }) => {
  const tensors = Object.values(inputs);
  const [first] = tensors as [TensorInfo];
  if (!tensors.every(({ dtype }) => dtype === first.dtype) || first.dtype === 'string' || util.bytesPerElement(first.dtype) !== 4) return undefined;
  const [axis] = util.parseAxisParam(attrs.axis, first.shape) as [number];
  const shapes = tensors.map(({ shape }) => shape);
  backend_util.assertParamsConsistent(shapes, axis);
  const out = backend.makeOutput(backend_util.computeOutShape(shapes, axis), first.dtype);
  const outer = util.sizeFromShape(first.shape.slice(0, axis));
  const step = util.sizeFromShape(out.shape.slice(axis));
  let to = addressOf(backend, out);
  for (const tensor of tensors) {
    const width = util.sizeFromShape(tensor.shape.slice(axis));
    nativeOf(backend).copyStrided(addressOf(backend, tensor), to, 1, 1, outer, width, 0, 0, width, 1, 0, 0, step, 1);
    to += 4 * width;
  }
  return out;
});
