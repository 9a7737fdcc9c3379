// Raw kernels to kernels of linear maps that are 1-Lipschitz in L2. Shapes: I in, O out, h w taps, … batch axes.
import { type Tensor, type Tensor1D, type Tensor2D, abs, add, concat, customGrad, div, eye, exp, matMul, max, mul, neg, reshape, rsqrt, slice, sub, sum, transpose } from '@tensorflow/tfjs-core';
import { asConvolution, rowSums, scaleSide, sideOf } from './row-sums.js';

type Strides = readonly [number, number];

/** Keeps the factor of a channel without weights finite; it only shrinks others. */
const TINY = 1e-12;
/** Enough for `I + A` of norm up to some hundreds; more cost time only. */
const INVERSE_STEPS = 20;

/** Factors `(Σ_j |K ∗ Kᵀ|_ij)^(-1/2)` of the side with fewer channels, `[N]`. */
export function aolScales(kernel: Tensor, strides: Strides): Tensor1D {
  const conv = asConvolution(kernel);
  return rsqrt(add<Tensor1D>(rowSums(conv, strides, sideOf(conv, strides)), TINY));
}

/** The kernel `[I,O]` or `[h,w,I,O]` with its channels scaled, so that no input is stretched. */
export function aolKernel<T extends Tensor>(kernel: T, strides: Strides): T {
  const conv = asConvolution(kernel);
  return reshape(scaleSide(conv, strides, sideOf(conv, strides), aolScales(kernel, strides)), kernel.shape) as T;
}

/** `2 T⁻¹` of a residual layer, `T_i = Σ_j |K ∗ Kᵀ|_ij q_j / q_i` over its hidden channels, `[O]`. */
export const sllFactors = (kernel: Tensor, logWeights: Tensor1D): Tensor1D => div(2, add(rowSums(asConvolution(kernel), [1, 1], 'outputs', exp(logWeights)), TINY));

const swapped = (x: Tensor): Tensor => transpose(x, [...x.shape.keys()].map((axis) => (axis < x.rank - 2 ? axis : 2 * x.rank - 3 - axis)));

/** An orthonormal kernel near `[I,O]` as far as the steps go, its singular values never above 1. */
export function bjorckKernel(kernel: Tensor2D, steps: number): Tensor2D {
  const tall = kernel.shape[0] >= kernel.shape[1];
  let w = aolKernel(kernel, [1, 1]);
  for (let step = 0; step < steps; step++) {
    const cubed = tall ? matMul(w, matMul(w, w, true, false)) : matMul(matMul(w, w, false, true), w);
    w = sub(mul(w, 1.5), mul(cubed, 0.5));
  }
  return w;
}

/** Inverse of square matrices `[…,N,N]` whose symmetric part is at least the identity, by Newton's iteration. */
function inverse(matrix: Tensor): Tensor {
  return customGrad((input, save) => {
    const m = input as Tensor;
    const largest = (axis: number): Tensor => max(sum(abs(m), axis, true), [m.rank - 2, m.rank - 1], true);
    const twice = mul(eye(m.shape.at(-1)!), 2);
    // ‖I − M X‖ < 1 at the start, and its square after every step.
    let x = div(swapped(m), mul(largest(m.rank - 1), largest(m.rank - 2)));
    for (let step = 0; step < INVERSE_STEPS; step++) x = matMul(x, sub(twice, matMul(m, x)));
    (save as unknown as (tensors: Tensor[]) => void)([x]);
    return {
      value: x,
      gradFunc: (dy, saved) => {
        const back = swapped((saved as Tensor[])[0]!);
        return neg(matMul(back, matMul(dy as Tensor, back)));
      },
    };
  })(matrix);
}

/** `rows` of the last axis but one, from `first` on. */
function rowsOf(x: Tensor, first: number, rows: number): Tensor {
  const begin = x.shape.map((_, axis) => (axis === x.rank - 2 ? first : 0));
  return slice(x, begin, x.shape.map((size, axis) => (axis === x.rank - 2 ? rows : size)));
}

/**
 * Matrices `[…,I,O]` with orthonormal columns, or rows where O > I, from raw ones of the same shape.
 *
 * @remarks
 * For `[U; V]` with U square, `A = U − Uᵀ + VᵀV`: `[(I − A)(I + A)⁻¹; −2 V (I + A)⁻¹]`.
 */
export function cayleyKernel<T extends Tensor>(kernel: T): T {
  const [rows, columns] = kernel.shape.slice(-2) as [number, number];
  if (rows < columns) return swapped(cayleyKernel(swapped(kernel))) as T;
  const u = rowsOf(kernel, 0, columns);
  const skew = sub(u, swapped(u));
  const one = eye(columns);
  if (rows === columns) return matMul(sub(one, skew), inverse(add(one, skew))) as T;
  const v = rowsOf(kernel, columns, rows - columns);
  const a = add(skew, matMul(v, v, true, false));
  const inverted = inverse(add(one, a));
  return concat([matMul(sub(one, a), inverted), mul(matMul(v, inverted), -2)], kernel.rank - 2) as T;
}
