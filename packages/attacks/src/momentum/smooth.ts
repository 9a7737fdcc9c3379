// Shapes: H W pixels, C channels of one image, D = H·W·C.
import type { Image } from '../internal/image.js';

const DEVIATIONS = 3; // from the middle of the kernel to its end, Dong et al. 2019, released code

/** One side of the kernel, which is the product of its two sides: a Gaussian over `width` pixels, of sum 1. */
export function gaussianKernel(width: number): Float64Array {
  const middle = (width - 1) / 2;
  const values = Float64Array.from({ length: width }, (_, i) => Math.exp(-((DEVIATIONS * (i - middle)) ** 2) / (2 * Math.max(middle, 1) ** 2)));
  const total = values.reduce((sum, value) => sum + value, 0);
  return values.map((value) => value / total);
}

/** Smooths every channel of a gradient, with zeros around it, in place: to first order what attacking all shifted copies of the image at once gives. */
export function smooth({ height, width, channels }: Image, kernel: Float64Array, gradient: Float32Array): void {
  along(gradient, kernel, height, width * channels, width * channels);
  for (let y = 0; y < height; y++) along(gradient.subarray(y * width * channels, (y + 1) * width * channels), kernel, width, channels, channels);
}

/** Smooths `lanes` interleaved sequences of `length` numbers, each `step` apart. */
function along(values: Float32Array, kernel: Float64Array, length: number, step: number, lanes: number): void {
  const reach = (kernel.length - 1) / 2;
  const before = values.slice();
  for (let i = 0; i < length; i++) {
    const [from, to] = [Math.max(0, i - reach), Math.min(length - 1, i + reach)];
    for (let lane = 0; lane < lanes; lane++) {
      let total = 0;
      for (let k = from; k <= to; k++) total += kernel[k - i + reach]! * before[k * step + lane]!;
      values[i * step + lane] = total;
    }
  }
}
