import '../gradients.js';
import { type Tensor, type Tensor1D, customGrad, expandDims, gather, reshape, scatterND } from '@tensorflow/tfjs-core';
import { expectArgument, expectInteger, expectShape } from '../checks.js';

function gatherAxis0(x: Tensor, indices: Tensor1D): Tensor {
  return gather(x, indices, 0);
}

function scatterAxis0(rows: Tensor, indices: Tensor1D, length: number): Tensor {
  const [count = 0, ...rest] = rows.shape;
  const width = rest.reduce((a, b) => a * b, 1);
  // Rank 2 keeps every engine on its fast path; scatterND adds up rows that share an index.
  const flat = scatterND(expandDims(indices, 1), reshape(rows, [count, width]), [length, width]);
  return reshape(flat, [length, ...rest]);
}

function expectIndices(caller: string, indices: Tensor1D): void {
  expectShape(caller, { indices }, ['N']);
  expectArgument(caller, 'indices', indices.dtype === 'int32', "have dtype 'int32'", indices.dtype);
}

/**
 * Rows of `x` at `indices`, differentiable in `x` on every engine.
 *
 * @remarks
 * Adjoint of {@link scatterAddRows}. Unlike `tf.gather`, whose gradient needs a kernel that several engines lack.
 *
 * @param x       - rows `[T, …]`.
 * @param indices - `[N]` int32, each in `[0, T)`; repeats allowed.
 * @returns `[N, …]`; the caller disposes it.
 * @throws {@link ShapeError} {@link ArgumentError} if a rank or dtype is wrong.
 */
export function gatherRows<T extends Tensor>(x: T, indices: Tensor1D): T {
  expectIndices('gatherRows', indices);
  const length = x.shape[0] ?? 0;
  return customGrad((input, save) => {
    // Tensors made inside a differentiated function live on only if saved.
    (save as unknown as (tensors: Tensor[]) => void)([indices]);
    return {
      value: gatherAxis0(input as Tensor, indices),
      gradFunc: (dy, saved) => scatterAddRows(dy as Tensor, (saved as Tensor[])[0] as Tensor1D, length),
    };
  })(x) as T;
}

/**
 * Zeros `[length, …]` with every row of `rows` added at its index, differentiable in `rows`.
 *
 * @param rows    - `[N, …]`.
 * @param indices - `[N]` int32, each in `[0, length)`; rows that share an index add up.
 * @param length  - number of rows of the result.
 * @returns `[length, …]`; the caller disposes it.
 * @throws {@link ShapeError} {@link ArgumentError} if a rank, dtype or size is wrong.
 */
export function scatterAddRows<T extends Tensor>(rows: T, indices: Tensor1D, length: number): T {
  expectIndices('scatterAddRows', indices);
  expectInteger('scatterAddRows', 'length', length, 0);
  expectArgument('scatterAddRows', 'rows', rows.shape[0] === indices.shape[0], `have ${indices.shape[0]} rows, one per index`, rows.shape[0]);
  return customGrad((input, save) => {
    (save as unknown as (tensors: Tensor[]) => void)([indices]);
    return {
      value: scatterAxis0(input as Tensor, indices, length),
      gradFunc: (dy, saved) => gatherRows(dy as Tensor, (saved as Tensor[])[0] as Tensor1D),
    };
  })(rows) as T;
}
