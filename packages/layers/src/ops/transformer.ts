// Shapes: B batch, N tokens, M keys, D features, h heads.
import { type Tensor, type Tensor2D, type Tensor3D, type Tensor4D, add, matMul, mean, mul, reshape, rsqrt, softmax, square, sub, tanh, tidy, transpose } from '@tensorflow/tfjs-core';

/** Added to the variance, as in V-MoE. */
const LAYER_NORM_EPS = 1e-6;

/**
 * Layer norm over the last axis.
 *
 * @returns Same shape as `x`; the caller disposes it.
 * @see {@link https://arxiv.org/abs/1607.06450 | Ba et al. 2016}
 */
export function layerNorm<T extends Tensor>(x: T, gamma: Tensor, beta: Tensor): T {
  return tidy(() => {
    const centred = sub(x, mean(x, -1, true));
    const inverse = rsqrt(add(mean(square(centred), -1, true), LAYER_NORM_EPS));
    return add(mul(mul(centred, inverse), gamma), beta) as T;
  });
}

/** GELU by its tanh approximation, as in Flax: `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`. */
export function gelu<T extends Tensor>(x: T): T {
  return tidy(() => {
    const inner = mul(add(x, mul(mul(square(x), x), 0.044715)), Math.sqrt(2 / Math.PI));
    return mul(mul(x, 0.5), add(tanh(inner), 1)) as T;
  });
}

/** `x · W + b` on the last axis. */
export function project(x: Tensor, kernel: Tensor, bias: Tensor): Tensor {
  return tidy(() => {
    const [from, to] = kernel.shape as [number, number];
    return reshape(add(matMul(reshape(x, [-1, from]) as Tensor2D, kernel as Tensor2D), bias), [...x.shape.slice(0, -1), to]);
  });
}

/** GELU between two projections; `drop` is applied to what is between them and to the output. */
export function feedForward(x: Tensor, read: (name: string) => Tensor, drop: (x: Tensor, place: string) => Tensor = (kept) => kept): Tensor {
  return tidy(() => {
    const hidden = drop(gelu(project(x, read('in/kernel'), read('in/bias'))), 'hidden');
    return drop(project(hidden, read('out/kernel'), read('out/bias')), 'output');
  });
}

/**
 * Multi-head attention of `queries` to `keys`.
 *
 * @param queries - `[B,N,D]`.
 * @param keys    - `[B,M,D]`; the values are projections of the same.
 * @param read    - the weights `query/kernel` to `out/bias`.
 * @returns `[B,N,D]`; the caller disposes it.
 * @see {@link https://arxiv.org/abs/1706.03762 | Vaswani et al. 2017}
 */
export function attention(queries: Tensor3D, keys: Tensor3D, heads: number, read: (name: string) => Tensor): Tensor3D {
  return tidy(() => {
    const [batch, tokens, width] = queries.shape;
    const split = (x: Tensor3D, name: string): Tensor4D => transpose(reshape(project(x, read(`${name}/kernel`), read(`${name}/bias`)), [batch, x.shape[1], heads, width / heads]), [0, 2, 1, 3]) as Tensor4D;
    const scores = mul(matMul(split(queries, 'query'), split(keys, 'key'), false, true), 1 / Math.sqrt(width / heads));
    const mixed = transpose(matMul(softmax(scores), split(keys, 'value')), [0, 2, 1, 3]);
    return project(reshape(mixed, [batch, tokens, width]), read('out/kernel'), read('out/bias')) as Tensor3D;
  });
}
