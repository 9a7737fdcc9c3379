import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { BackendError } from '@moe/core';
import { binaryFor } from './binary-for.js';

/** Functions of the compiled kernels (`packages/backend/assembly`). Every pointer is an offset into the memory of tfjs' wasm engine. */
export interface NativeKernels {
  addToSegments(x: number, segments: number, out: number, n: number, width: number, numSegments: number): void;
  /** `operation` by its place in `kernels/binary.ts`; four sizes, strides of a, strides of b. */
  binary(operation: number, a: number, b: number, out: number, ...loops: readonly number[]): void;
  clip(x: number, out: number, count: number, low: number, high: number): void;
  /** `operation` by its place in `kernels/compare.ts`. */
  compare(operation: number, a: number, b: number, out: number, count: number, aStep: number, bStep: number): void;
  conv2d(
    x: number, filter: number, out: number, packed: number, padded: number, group: number,
    batch: number, h: number, w: number, ci: number, oh: number, ow: number, co: number, kh: number, kw: number,
    strideH: number, strideW: number, dilationH: number, dilationW: number, padTop: number, padLeft: number, hp: number, wp: number,
  ): void;
  conv2dFilterGradient(
    x: number, dy: number, dw: number,
    batch: number, h: number, w: number, ci: number, oh: number, ow: number, co: number, kh: number, kw: number,
    strideH: number, strideW: number, dilationH: number, dilationW: number, padTop: number, padLeft: number,
  ): void;
  /** Four sizes, strides of the source, strides of the target. */
  copyStrided(from: number, to: number, ...loops: readonly number[]): void;
  depthwiseGradients(
    x: number, dy: number, filter: number, dx: number, dw: number,
    batch: number, h: number, w: number, c: number, m: number, oh: number, ow: number, kh: number, kw: number,
    strideH: number, strideW: number, dilationH: number, dilationW: number, padTop: number, padLeft: number,
  ): void;
  gatherBlocks(x: number, indices: number, out: number, outer: number, size: number, count: number, width: number): void;
  maxPoolGradient(
    x: number, dy: number, dx: number,
    batch: number, h: number, w: number, c: number, oh: number, ow: number, kh: number, kw: number,
    strideH: number, strideW: number, padTop: number, padLeft: number,
  ): void;
  normalizeRows(x: number, mean: number, factor: number, offset: number, out: number, rows: number, width: number): void;
  reluGradient(dy: number, y: number, out: number, count: number, low: number): void;
  select(condition: number, a: number, b: number, out: number, count: number): void;
  sign(x: number, out: number, count: number): void;
  spread(
    x: number, out: number, batch: number, rows: number, columns: number, channels: number,
    h: number, w: number, top: number, left: number, strideH: number, strideW: number,
  ): void;
  sum(x: number, out: number, totals: number, outer: number, reduced: number, inner: number, scale: number): void;
  transposeMatrix(x: number, out: number, rows: number, columns: number): void;
  transposedProduct(a: number, b: number, out: number, n: number, rows: number, columns: number): void;
}

const NATIVE = Symbol.for('moe.backend.native');

type Linked = BackendWasm & { [NATIVE]?: NativeKernels };

/** Links the compiled kernels with the memory of a started wasm engine; does nothing the second time. */
export async function linkNative(backend: BackendWasm): Promise<void> {
  const linked = backend as Linked;
  if (linked[NATIVE] !== undefined) return;
  const { memory } = (backend.wasm as unknown as { asm: { memory: WebAssembly.Memory } }).asm;
  const shared = typeof SharedArrayBuffer !== 'undefined' && memory.buffer instanceof SharedArrayBuffer;
  const { instance } = await WebAssembly.instantiate(binaryFor(shared), { env: { memory } });
  linked[NATIVE] = instance.exports as unknown as NativeKernels;
}

/** The compiled kernels of an engine that {@link linkNative} has seen. */
export function nativeOf(backend: BackendWasm): NativeKernels {
  const native = (backend as Linked)[NATIVE];
  if (native === undefined) throw new BackendError("wasm kernel: the engine was restarted without its kernels. Call `await useBackend('wasm')` again.");
  return native;
}

/** Where a tensor lies in the engine's memory. */
export const addressOf = (backend: BackendWasm, { dataId }: TensorInfo): number => backend.getMemoryOffset(dataId);
