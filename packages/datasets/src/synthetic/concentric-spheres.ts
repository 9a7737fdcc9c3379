import { type Rng, expectArgument, expectInteger, expectKnownKeys } from '@moe/core';
import { type LabelledDataset, arrayDataset } from '../array-dataset.js';

/** Options of {@link concentricSpheres}. */
export interface ConcentricSpheresOptions {
  readonly rng: Rng;
  readonly length: number;
  /** `[H, W, C]`; vectors of length D are `[1, 1, D]`. */
  readonly inputShape: readonly [number, number, number];
  /** Of the inner and outer sphere, increasing. @defaultValue [1, 1.3] */
  readonly radii?: readonly [inner: number, outer: number];
}

const RADII = [1, 1.3] as const; // Gilmer et al. 2018, Sec. 3

/**
 * Two spheres around the origin, for which the robust radius of every example is known.
 *
 * @remarks
 * Every example is exactly `outer - inner` from the nearest point of the other class (L2), so the classifier that compares the norm with
 * `(inner + outer) / 2` is right for every perturbation below half of that, and none is robust at more on both classes. Labels alternate.
 *
 * @returns The data set, and `distance = outer - inner`.
 * @throws ArgumentError if an option breaks its rule.
 * @see {@link https://arxiv.org/abs/1801.02774 | Gilmer et al. 2018, Adversarial Spheres}
 *
 * @example
 * const { dataset, distance } = concentricSpheres({ rng: createRng(1), length: 200, inputShape: [1, 1, 3] });
 */
export function concentricSpheres(options: ConcentricSpheresOptions): { readonly dataset: LabelledDataset; readonly distance: number } {
  const caller = 'concentricSpheres';
  expectKnownKeys(caller, options, ['rng', 'length', 'inputShape', 'radii']);
  const { rng, length, inputShape, radii = RADII } = options;
  expectInteger(caller, 'length', length, 1);
  const [inner, outer] = radii;
  expectArgument(caller, 'radii', inner > 0 && outer > inner && Number.isFinite(outer), 'be [inner, outer] with 0 < inner < outer', [...radii]);
  const size = inputShape.reduce((total, axis) => total * axis, 1);
  const images = new Float32Array(length * size);
  for (let id = 0; id < length; id++) {
    const direction = rng.stream('concentric-spheres').at(id).normal(size);
    const scale = radii[id % 2]! / Math.hypot(...direction);
    images.set(direction.map((value) => value * scale), id * size);
  }
  // A float32 may round a coordinate up to the next number beyond the radius.
  const bound = outer * (1 + 2 ** -22);
  const dataset = arrayDataset({
    name: 'concentric spheres',
    split: 'synthetic',
    images,
    labels: Int32Array.from({ length }, (_, id) => id % 2),
    inputShape,
    classNames: ['inner sphere', 'outer sphere'],
    bounds: [-bound, bound],
  });
  return { dataset, distance: outer - inner };
}
