// Shapes: h w taps, I channels in, O channels out, N channels of the chosen side, phases of the stride counted.
import { type Tensor, type Tensor1D, type Tensor4D, abs, conv2d, div, matMul, mul, pad, reshape, slice, sum, tile, transpose } from '@tensorflow/tfjs-core';
import { ShapeError } from '@moe/core';
import { type GramSide, smallerSide } from '../internal/spatial-gram.js';

type Strides = readonly [number, number];
type Shape4D = [number, number, number, number];

export function expectKernel(caller: string, { rank, shape }: Tensor): void {
  if (rank !== 2 && rank !== 4) throw new ShapeError(`${caller}: kernel must have shape [in,out] or [kh,kw,in,out], got [${shape.join(',')}].`);
}

/** A dense kernel `[I,O]` as that of a convolution of one pixel. */
export const asConvolution = (kernel: Tensor): Tensor4D => (kernel.rank === 2 ? reshape(kernel, [1, 1, ...kernel.shape] as Shape4D) : (kernel as Tensor4D));

/** How many phases of the stride taps fall into, and how many taps each has, along both axes. */
function phasesOf([kh, kw]: Shape4D, [sy, sx]: Strides) {
  const [py, px] = [Math.min(sy, kh), Math.min(sx, kw)];
  return { py, px, h: Math.ceil(kh / py), w: Math.ceil(kw / px) };
}

/** The kernel of the same convolution without stride, of the image with its phases as channels: `[h,w,phases · I,O]`. */
function polyphase(kernel: Tensor4D, strides: Strides): Tensor4D {
  const [kh, kw, inputs, outputs] = kernel.shape;
  const { py, px, h, w } = phasesOf(kernel.shape, strides);
  if (py * px === 1) return kernel;
  const padded = pad(kernel, [[0, h * py - kh], [0, w * px - kw], [0, 0], [0, 0]]);
  return reshape(transpose(reshape(padded, [h, py, w, px, inputs, outputs]), [0, 2, 1, 3, 4, 5]), [h, w, py * px * inputs, outputs]);
}

/** `K ∗ Kᵀ` of one side over all offsets, `[N, 2h − 1, 2w − 1, N]`; differentiable. */
export function gramKernel(kernel: Tensor4D, strides: Strides, side: GramSide): Tensor4D {
  const parts = polyphase(kernel, strides);
  const [h, w, inputs, outputs] = parts.shape;
  if (h * w === 1) {
    const matrix = reshape(parts, [inputs, outputs]);
    const gram = side === 'outputs' ? matMul(matrix, matrix, true, false) : matMul(matrix, matrix, false, true);
    return reshape(gram, [gram.shape[0]!, 1, 1, gram.shape[1]!]);
  }
  // Every channel of the side is an image, and slides over the kernel.
  const [images, filters] = side === 'outputs' ? [transpose(parts, [3, 0, 1, 2]), parts] : [transpose(parts, [2, 0, 1, 3]), transpose(parts, [0, 1, 3, 2])];
  return conv2d(pad(images as Tensor4D, [[0, 0], [h - 1, h - 1], [w - 1, w - 1], [0, 0]]), filters as Tensor4D, 1, 'valid');
}

/** The side with fewer channels. */
export const sideOf = (kernel: Tensor4D, strides: Strides): GramSide => smallerSide(kernel.shape, strides);

/** `Σ_j |K ∗ Kᵀ|_ij q_j / q_i` of each channel i of one side, over all offsets, `[N]`; differentiable. */
export function rowSums(kernel: Tensor4D, strides: Strides, side: GramSide, weights?: Tensor1D): Tensor1D {
  const gram = abs(gramKernel(kernel, strides, side));
  if (weights === undefined) return sum(gram, [1, 2, 3]) as Tensor1D;
  return div(sum(mul(gram, weights), [1, 2, 3]), weights) as Tensor1D;
}

/** The kernel with a factor for each channel of one side, `[N]`, phases and all. */
export function scaleSide(kernel: Tensor4D, strides: Strides, side: GramSide, factors: Tensor1D): Tensor4D {
  if (side === 'outputs') return mul(kernel, factors);
  const [kh, kw, inputs] = kernel.shape;
  const { py, px, h, w } = phasesOf(kernel.shape, strides);
  if (py * px === 1) return mul(kernel, reshape(factors, [inputs, 1]));
  const repeated = reshape(tile(reshape(factors, [1, py, 1, px * inputs]), [h, 1, w, 1]), [h * py, w * px, inputs, 1]);
  return mul(kernel, slice(repeated, [0, 0, 0, 0], [kh, kw, inputs, 1]) as Tensor4D);
}
