import { type Rng, expectArgument, expectInteger, expectKnownKeys, expectNumber } from '@moe/core';
import { type LabelledDataset, arrayDataset } from '../array-dataset.js';

/** Options of {@link gaussianBlobs}. */
export interface GaussianBlobsOptions {
  readonly rng: Rng;
  readonly length: number;
  /** `[H, W, C]`; vectors of length D are `[1, 1, D]`. */
  readonly inputShape: readonly [number, number, number];
  /** At most one class per input value. @defaultValue 2 */
  readonly classes?: number;
  /** Euclidean distance between any two class means. */
  readonly separation: number;
  /** Standard deviation of every input value. */
  readonly std: number;
}

/** Blobs and what is known about them. */
export interface GaussianBlobs {
  readonly dataset: LabelledDataset;
  /** Class means, row-major `[M, H·W·C]`. */
  readonly means: Float32Array;
}

/** No normal value of `Rng` is further out: the radius of Box and Muller from 32 bits is at most √(2 ln 2³²) = 6.661. */
const MAX_NORMAL = 6.67;

/**
 * One spherical normal cloud per class, for which the best classifier and its robust accuracy are known.
 *
 * @remarks
 * The mean of class k is `separation / √2` at input value k and 0 elsewhere. The best classifier takes the largest of the first M values: it is
 * linear. With two classes it is right with probability `Φ(s / 2σ)`, under attack `Φ((s / 2 - ε) / σ)` in L2 and `Φ((s / 2 - √2 ε) / σ)` in L∞
 * (its normal (1, -1, 0, …) has ‖w‖₁ = √2 ‖w‖₂), and no classifier does better in L2. Labels go round, so every M examples hold each class once. `bounds`
 * contain every possible value.
 *
 * @throws ArgumentError if an option breaks its rule.
 *
 * @example
 * const { dataset } = gaussianBlobs({ rng: createRng(1), length: 200, inputShape: [4, 4, 1], separation: 4, std: 1 });
 */
export function gaussianBlobs(options: GaussianBlobsOptions): GaussianBlobs {
  const caller = 'gaussianBlobs';
  expectKnownKeys(caller, options, ['rng', 'length', 'inputShape', 'classes', 'separation', 'std']);
  const { rng, length, inputShape, classes = 2, separation, std } = options;
  const size = inputShape.reduce((total, axis) => total * axis, 1);
  expectInteger(caller, 'length', length, 1);
  expectInteger(caller, 'classes', classes, 2, size);
  expectNumber(caller, 'separation', separation, 0);
  expectArgument(caller, 'std', std > 0 && Number.isFinite(std), 'be a finite number > 0', std);
  const peak = separation / Math.SQRT2;
  const means = new Float32Array(classes * size);
  for (let k = 0; k < classes; k++) means[k * size + k] = peak;
  const images = new Float32Array(length * size);
  for (let id = 0; id < length; id++) {
    const noise = rng.stream('gaussian-blobs').at(id).normal(size, 0, std);
    noise[id % classes]! += peak;
    images.set(noise, id * size);
  }
  const dataset = arrayDataset({
    name: 'Gaussian blobs',
    split: 'synthetic',
    images,
    labels: Int32Array.from({ length }, (_, id) => id % classes),
    inputShape,
    classNames: Array.from({ length: classes }, (_, k) => `blob ${k}`),
    bounds: [-MAX_NORMAL * std, peak + MAX_NORMAL * std],
  });
  return { dataset, means };
}
