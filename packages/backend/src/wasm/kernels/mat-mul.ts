import {
  type BatchMatMulAttrs,
  type BatchMatMulInputs,
  type _FusedMatMulAttrs,
  type _FusedMatMulInputs,
  broadcast_util,
  util,
} from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { type Finish, finish } from '../activation.js';
import { wasmKernel } from '../kernel.js';
import { broadcastStrides, denseStrides } from '../layout.js';
import { addressOf, nativeOf } from '../native.js';
import { runReference } from '../reference.js';
import { withScratch } from '../scratch.js';

/** Rows of a product that share one pass over the second factor. */
const ROWS = 64;

/** Products `[…, M, K] · […, K, N]` with either factor transposed; the stock kernel is fast for a single plain product only. */
export const batchMatMul = wasmKernel<BatchMatMulInputs, BatchMatMulAttrs>('BatchMatMul', ({ inputs: { a, b }, attrs: { transposeA, transposeB }, backend }) => {
  if (a.dtype !== 'float32' || b.dtype !== 'float32') return runReference('BatchMatMul', { inputs: { a, b }, attrs: { transposeA, transposeB }, backend });
  util.assert(a.shape.length >= 2 && b.shape.length >= 2, () => `matMul: both factors must be matrices, got shapes [${a.shape.join()}] and [${b.shape.join()}]; reshape a vector.`);
  const [aRows, aColumns] = a.shape.slice(-2) as [number, number];
  const [bRows, bColumns] = b.shape.slice(-2) as [number, number];
  const [M, K] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [inner, N] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
  util.assert(K === inner, () => `matMul: inner sizes must agree, got ${K} and ${inner} of shapes [${a.shape.join()}] and [${b.shape.join()}].`);
  const batch = broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const count = util.sizeFromShape(batch);
  const [aSteps, bSteps] = [a, b].map((x) => broadcastStrides(x.shape.slice(0, -2), batch)) as [number[], number[]];
  const native = nativeOf(backend);
  return withScratch(backend, (scratch) => {
    const out = transposeA ? scratch.zeros([...batch, M, N]) : scratch.make([...batch, M, N]);
    const turned = transposeB ? addressOf(backend, scratch.make([K, N])) : 0;
    const packed = transposeA ? 0 : addressOf(backend, scratch.make([8 * Math.ceil(N / 8) * K + 64]));
    const positions = denseStrides(batch);
    for (let n = 0; n < count; n++) {
      const at = (steps: readonly number[]): number => steps.reduce((total, step, axis) => total + step * (Math.floor(n / positions[axis]!) % batch[axis]!), 0);
      const left = addressOf(backend, a) + 4 * M * K * at(aSteps);
      const plain = addressOf(backend, b) + 4 * K * N * at(bSteps);
      const to = addressOf(backend, out) + 4 * M * N * n;
      if (transposeB) native.transposeMatrix(plain, turned, N, K);
      const right = transposeB ? turned : plain;
      if (transposeA) native.transposedProduct(left, right, to, K, M, N);
      else multiply(backend, left, right, to, packed, M, K, N);
    }
    return out;
  });
});

/** `[M, K] · [K, N]` as convolutions of `M / ROWS` images of `ROWS` pixels, and of one for the rest. */
function multiply(backend: BackendWasm, a: number, b: number, out: number, packed: number, M: number, K: number, N: number): void {
  const native = nativeOf(backend);
  const rounds = Math.floor(M / ROWS);
  const convolve = (from: number, to: number, images: number, pixels: number): void =>
    native.conv2d(from, b, to, packed, 0, 1, images, 1, pixels, K, 1, pixels, N, 1, 1, 1, 1, 1, 1, 0, 0, 1, pixels);
  if (rounds > 0) convolve(a, out, rounds, ROWS);
  if (M > rounds * ROWS) convolve(a + 4 * rounds * ROWS * K, out + 4 * rounds * ROWS * N, 1, M - rounds * ROWS);
}

/** Product, bias and activation in one; in steps where the stock kernel crawls or refuses: transposed factors, integers, a bias that is no vector. */
export const fusedMatMul = wasmKernel<_FusedMatMulInputs, _FusedMatMulAttrs>('_FusedMatMul', ({ inputs, attrs, backend }) => {
  const { a, b, bias, preluActivationWeights } = inputs as typeof inputs & Finish;
  const { transposeA, transposeB, activation, leakyreluAlpha } = attrs;
  const plain = !transposeA && !transposeB && a.dtype === 'float32' && b.dtype === 'float32';
  if (plain && (bias == null || bias.shape.length === 1)) return undefined;
  return withScratch(backend, (scratch) => finish(scratch, scratch.run('BatchMatMul', { a, b }, { transposeA, transposeB }), { bias, activation, preluActivationWeights, leakyreluAlpha }));
});
