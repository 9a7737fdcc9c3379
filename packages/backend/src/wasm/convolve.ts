// Shapes: x [B,H,W,Ci], filter [Kh,Kw,Ci,Co], channels last.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { addressOf, nativeOf } from './native.js';
import { withScratch } from './scratch.js';

/** How a convolution walks over its input; a negative padding cuts. */
export interface Walk {
  readonly outHeight: number;
  readonly outWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly dilationHeight: number;
  readonly dilationWidth: number;
  readonly top: number;
  readonly left: number;
}

/** Bytes of padded images that one pass over the filter may cover; about half of a second-level cache. */
const GROUP_BYTES = 256 * 1024;

/** Convolution `[B,H',W',Co]` by the compiled kernel. */
export function convolve(backend: BackendWasm, x: TensorInfo, filter: TensorInfo, walk: Walk): TensorInfo {
  const [B, H, W, Ci] = x.shape as [number, number, number, number];
  const [Kh, Kw, , Co] = filter.shape as [number, number, number, number];
  const { outHeight, outWidth, strideHeight, strideWidth, dilationHeight, dilationWidth, top, left } = walk;
  const hp = (outHeight - 1) * strideHeight + (Kh - 1) * dilationHeight + 1;
  const kernelWidth = (Kw - 1) * dilationWidth + 1;
  const wp = (outWidth - 1) * strideWidth + kernelWidth;
  const inside = top === 0 && left === 0 && hp <= H && wp <= W;
  const imageSize = hp * wp * Ci;
  const group = Math.min(B, Math.ceil(GROUP_BYTES / (4 * (inside ? H * W * Ci : imageSize))));
  return withScratch(backend, (scratch) => {
    const out = scratch.make([B, outHeight, outWidth, Co]);
    const packed = scratch.make([8 * Math.ceil(Co / 8) * Kh * kernelWidth * Ci + 64]);
    const padded = inside ? undefined : scratch.make([group * imageSize]);
    nativeOf(backend).conv2d(
      addressOf(backend, x), addressOf(backend, filter), addressOf(backend, out), addressOf(backend, packed), padded === undefined ? 0 : addressOf(backend, padded), group,
      B, H, W, Ci, outHeight, outWidth, Co, Kh, Kw, strideHeight, strideWidth, dilationHeight, dilationWidth, top, left, hp, wp,
    );
    return out;
  });
}
