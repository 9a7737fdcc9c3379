// Shapes: H W pixels, C channels of one image, D = H·W·C.
import type { Rng } from '@moe/core';
import type { Image } from '../internal/image.js';

const SMALLEST = 0.9; // of the side, Xie et al. 2019 as in torchattacks; the paper enlarges 299 to at most 330 instead

/** From which two places of the source, and with which share of the second, each place of a shorter side comes. */
interface Taps {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly share: Float64Array;
}

/** Bilinear, with pixels as squares: place i of `length` lies at (i + ½) · side / length - ½. */
function tapsOf(side: number, length: number): Taps {
  const [first, second, share] = [new Int32Array(length), new Int32Array(length), new Float64Array(length)];
  for (let i = 0; i < length; i++) {
    const place = Math.max(0, ((i + 0.5) * side) / length - 0.5);
    first[i] = Math.min(Math.floor(place), side - 1);
    second[i] = Math.min(first[i]! + 1, side - 1);
    share[i] = place - Math.floor(place);
  }
  return { first, second, share };
}

/** A smaller picture of an image at some place of a black one of the same size: a linear map of images. */
export interface Shrink {
  readonly image: Image;
  readonly rows: Taps;
  readonly columns: Taps;
  readonly top: number;
  readonly left: number;
}

/** The image at `height` rows, and as many columns as keep its proportions, `top` and `left` pixels from the corner. */
export function createShrink(image: Image, height: number, width: number, top: number, left: number): Shrink {
  return { image, rows: tapsOf(image.height, height), columns: tapsOf(image.width, width), top, left };
}

/** Draws whether to shrink, to at least nine tenths of the side, and where to. */
export function drawShrink(image: Image, probability: number, rng: Rng): Shrink | undefined {
  const { height, width } = image;
  const [chance, size, top, left] = rng.uniform(4) as unknown as readonly [number, number, number, number];
  if (chance >= probability) return undefined;
  const least = Math.floor(SMALLEST * height);
  const rows = Math.max(1, least + Math.floor(size * (height - least)));
  const columns = Math.max(1, Math.round((width * rows) / height));
  return createShrink(image, rows, columns, Math.floor(top * (height - rows + 1)), Math.floor(left * (width - columns + 1)));
}

/** Calls `visit` for every number of the smaller picture, with the four numbers of the image that it is the weighted mean of. */
function forEachTap({ image: { width, channels }, rows, columns, top, left }: Shrink, visit: (to: number, from: number, weight: number) => void): void {
  for (let y = 0; y < rows.first.length; y++) {
    for (let x = 0; x < columns.first.length; x++) {
      const [down, right] = [rows.share[y]!, columns.share[x]!];
      const to = ((y + top) * width + x + left) * channels;
      const corners = [
        [rows.first[y]!, columns.first[x]!, (1 - down) * (1 - right)],
        [rows.first[y]!, columns.second[x]!, (1 - down) * right],
        [rows.second[y]!, columns.first[x]!, down * (1 - right)],
        [rows.second[y]!, columns.second[x]!, down * right],
      ] as const;
      for (const [row, column, weight] of corners) {
        const from = (row * width + column) * channels;
        for (let c = 0; c < channels; c++) visit(to + c, from + c, weight);
      }
    }
  }
}

/** The shrunk image, `[D] → [D]`, into `out`. */
export function shrink(by: Shrink, image: Float32Array, out: Float32Array): void {
  out.fill(0);
  forEachTap(by, (to, from, weight) => void (out[to]! += weight * image[from]!));
}

/** The gradient at the image of a loss whose gradient at the shrunk one is given: the transposed map, into `out`. */
export function unshrink(by: Shrink, gradient: Float32Array, out: Float32Array): void {
  out.fill(0);
  forEachTap(by, (to, from, weight) => void (out[from]! += weight * gradient[to]!));
}
