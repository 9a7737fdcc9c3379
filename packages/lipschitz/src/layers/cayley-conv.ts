// Shapes: B batch, H W pixels, P = H·W, C channels in, F filters, k taps, N frequencies.
import { ShapeError, expectArgument, expectInteger } from '@moe/core';
import { type Tensor, type Tensor3D, type Tensor4D, matMul, neg, reshape, type serialization, stack, tensor2d, tidy, transpose } from '@tensorflow/tfjs-core';
import type { Shape } from '@tensorflow/tfjs-layers';
import { cayleyKernel } from './kernels.js';
import { KernelLayer, type LipschitzLayerArgs, onlyTensor, rowShape } from './kernel-layer.js';

/** Options of {@link CayleyConv2D}. */
export interface CayleyConv2DArgs extends LipschitzLayerArgs {
  readonly filters: number;
  /** Taps of the raw kernel along both axes; no more than the image has pixels. */
  readonly kernelSize: number;
}

/** One of each pair of conjugate frequencies of an image. */
function halfSpectrum(height: number, width: number): { readonly f: number; readonly g: number; readonly single: boolean }[] {
  const list = [];
  for (let f = 0; f < height; f++) {
    for (let g = 0; g < width; g++) {
      const [df, dg] = [(height - f) % height, (width - g) % width];
      if (f < df || (f === df && g <= dg)) list.push({ f, g, single: f === df && g === dg });
    }
  }
  return list;
}

/** What the layer needs to know of an image size. */
interface Fourier {
  /** Orthonormal rows, pixels by frequencies, real and imaginary part after one another: `[P, 2N]`. */
  readonly image: Float32Array;
  /** Cosines and sines of the taps, `[N, k²]` each. */
  readonly cosines: Float32Array;
  readonly sines: Float32Array;
  readonly frequencies: number;
}

function fourierOf(height: number, width: number, taps: number): Fourier {
  const spectrum = halfSpectrum(height, width);
  const count = spectrum.length;
  const image = new Float32Array(height * width * 2 * count);
  const [cosines, sines] = [new Float32Array(count * taps * taps), new Float32Array(count * taps * taps)];
  const center = Math.floor(taps / 2);
  spectrum.forEach(({ f, g, single }, n) => {
    // Whole turns are taken off before the angle is formed, so that large images lose no digits.
    const angle = (y: number, x: number): number => 2 * Math.PI * (((f * y) % height) / height + ((g * x) % width) / width);
    const length = Math.sqrt((single ? 1 : 2) / (height * width));
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const at = ((y * width + x) * count + n) * 2;
        image[at] = length * Math.cos(angle(y, x));
        // A frequency that is its own conjugate has no imaginary part.
        if (!single) image[at + 1] = -length * Math.sin(angle(y, x));
      }
    }
    for (let a = 0; a < taps; a++) {
      for (let b = 0; b < taps; b++) {
        const at = (n * taps + a) * taps + b;
        cosines[at] = Math.cos(angle(a - center, b - center));
        if (!single) sines[at] = Math.sin(angle(a - center, b - center));
      }
    }
  });
  return { image, cosines, sines, frequencies: count };
}

/** Orthonormal matrices of every frequency, complex entries as real blocks `[[a, b], [−b, a]]`: `[N, 2C, 2F]`. */
function matricesOf(kernel: Tensor4D, { cosines, sines, frequencies }: Fourier): Tensor3D {
  const [taps, , channels, filters] = kernel.shape;
  const flat = reshape(kernel, [taps * taps, channels * filters]);
  const part = (turn: Float32Array): Tensor => reshape(matMul(tensor2d(turn, [frequencies, taps * taps]), flat), [frequencies, channels, filters]);
  const [re, im] = [part(cosines), part(sines)];
  const blocks = stack([stack([re, im], 3), stack([neg(im), re], 3)], 2);
  return cayleyKernel(reshape(blocks, [frequencies, 2 * channels, 2 * filters]));
}

/**
 * Convolution around a ring whose operator is orthogonal, or has orthonormal rows or columns: all singular values are 1.
 *
 * @remarks
 * The Cayley transform of {@link CayleyDense} at every frequency of the image; engines without an FFT do it as a product with a matrix of cosines and sines `[P, P]`, so it is for images of up to some
 * 16×16. The image repeats beyond its border, and the kernel that results reaches over all of it; the raw one has k×k taps. Of the frequencies one of each conjugate
 * pair is transformed. {@link describeLayersModel} knows its constant in L2 alone.
 *
 * Tensors: `[B,H,W,C]` → `[B,H,W,F]`, H and W fixed. Saved models need {@link registerLipschitzLayers} before they are loaded.
 *
 * @throws {@link ArgumentError} if an option breaks its rule; {@link ShapeError} if inputs are not `[B,H,W,C]` of known size.
 * @see {@link https://arxiv.org/abs/2104.07167 | Trockman & Kolter 2021}
 *
 * @example
 * new CayleyConv2D({ filters: 16, kernelSize: 3, inputShape: [7, 7, 16], seed: 1 });
 */
export class CayleyConv2D extends KernelLayer {
  static readonly className = 'CayleyConv2D';
  readonly filters: number;
  readonly kernelSize: number;
  #fourier: Fourier | undefined;

  constructor(args: CayleyConv2DArgs) {
    super(args);
    const { filters, kernelSize } = args;
    expectInteger('CayleyConv2D', 'filters', filters, 1);
    expectInteger('CayleyConv2D', 'kernelSize', kernelSize, 1);
    this.filters = filters;
    this.kernelSize = kernelSize;
  }

  override build(inputShape: Shape | Shape[]): void {
    const [height, width, channels] = rowShape(this, inputShape, ['B', 'H', 'W', 'C']);
    if (typeof height !== 'number' || typeof width !== 'number') throw new ShapeError(`CayleyConv2D: inputs must have a fixed height and width, got [${[height, width].join(',')}].`);
    expectArgument('CayleyConv2D', 'kernelSize', this.kernelSize <= Math.min(height, width), `be at most ${Math.min(height, width)}, the image`, this.kernelSize);
    this.#fourier = fourierOf(height, width, this.kernelSize);
    this.addKernel([this.kernelSize, this.kernelSize, channels!, this.filters], this.kernelSize ** 2 * Math.max(channels!, this.filters), this.filters);
    this.built = true;
  }

  /** The matrices of all frequencies, `[N, 2C, 2F]`; the caller disposes them. @internal */
  matrices(): Tensor3D {
    return tidy(() => matricesOf(this.kernel as Tensor4D, this.#fourier!));
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => {
      const x = onlyTensor(inputs) as Tensor4D;
      const [batch, height, width, channels] = x.shape;
      const { image, frequencies } = this.#fourier!;
      const fourier = tensor2d(image, [height * width, 2 * frequencies]);
      const pixels = reshape(transpose(reshape(x, [batch, height * width, channels]), [1, 0, 2]), [height * width, batch * channels]);
      const there = reshape(transpose(reshape(matMul(fourier, pixels, true, false), [frequencies, 2, batch, channels]), [0, 2, 3, 1]), [frequencies, batch, 2 * channels]);
      const turned = reshape(matMul(there, this.matrices()), [frequencies, batch, this.filters, 2]);
      const back = matMul(fourier, reshape(transpose(turned, [0, 3, 1, 2]), [2 * frequencies, batch * this.filters]));
      return this.withBias(reshape(transpose(reshape(back, [height * width, batch, this.filters]), [1, 0, 2]), [batch, height, width, this.filters]));
    });
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [...inputShape.slice(0, 3), this.filters];
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), filters: this.filters, kernelSize: this.kernelSize };
  }
}
