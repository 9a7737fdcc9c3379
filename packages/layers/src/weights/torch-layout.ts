// Shapes: k kernel, C channels in, F filters or units.
import { type HostTensor, sizeOf } from '../safetensors/host-tensor.js';

/** tfjs' order of axes in terms of PyTorch's, by rank: `[F,C,k,k]` → `[k,k,C,F]` and `[F,C]` → `[C,F]`. */
const FROM_TORCH: Readonly<Record<number, readonly number[]>> = { 2: [1, 0], 4: [2, 3, 1, 0] };
const TO_TORCH: Readonly<Record<number, readonly number[]>> = { 2: [1, 0], 4: [3, 2, 0, 1] };

/** Reorders axes: axis i of the result is axis `axes[i]` of the tensor. */
function permute({ shape, data }: HostTensor, axes: readonly number[] | undefined): HostTensor {
  if (axes === undefined) return { shape, data };
  const newShape = axes.map((axis) => shape[axis]!);
  const steps = axes.map((axis) => sizeOf(shape.slice(axis + 1)));
  const permuted = data.slice();
  const index = newShape.map(() => 0);
  let from = 0;
  for (let to = 0; to < permuted.length; to++) {
    permuted[to] = data[from]!;
    // Counts up in the new order, the last axis fastest.
    for (let axis = index.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++index[axis]! < newShape[axis]!) break;
      from -= steps[axis]! * newShape[axis]!;
      index[axis] = 0;
    }
  }
  return { shape: newShape, data: permuted };
}

export const fromTorch = (value: HostTensor): HostTensor => permute(value, FROM_TORCH[value.shape.length]);
export const toTorch = (value: HostTensor): HostTensor => permute(value, TO_TORCH[value.shape.length]);
