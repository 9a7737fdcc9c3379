import { type Rng, expectArgument, expectInteger, expectKnownKeys } from '@moe/core';
import { type LabelledDataset, arrayDataset } from '../array-dataset.js';

/** Options of {@link twoMoons}. */
export interface TwoMoonsOptions {
  readonly rng: Rng;
  readonly length: number;
  /** Radius of the disc around a point of the moon from which the example is drawn, in `[0, 0.25)`. @defaultValue 0 */
  readonly noise?: number;
}

const MAX_NOISE = 0.25;

/**
 * Two interleaved half circles in the plane, with a known gap between them.
 *
 * @remarks
 * Moon 0 is `(cos t, sin t)` and moon 1 `(1 - cos t, ½ - sin t)`, `t` uniform on `[0, π]`, as in scikit-learn, but the noise is uniform on a disc instead of normal,
 * so that the gap is certain: the moons are exactly ½ apart (their ends from the other's top), the classes at least `½ - 2 · noise`. A classifier
 * exists whose L2 robust accuracy is 1 for any ε below half of that. Labels alternate. Inputs are `[1,1,2]`.
 *
 * @returns The data set, and `distance`: a lower bound on the L2 distance between examples of different classes.
 * @throws ArgumentError if an option breaks its rule.
 *
 * @example
 * const { dataset, distance } = twoMoons({ rng: createRng(1), length: 200, noise: 0.1 }); // distance 0.3
 */
export function twoMoons(options: TwoMoonsOptions): { readonly dataset: LabelledDataset; readonly distance: number } {
  const caller = 'twoMoons';
  expectKnownKeys(caller, options, ['rng', 'length', 'noise']);
  const { rng, length, noise = 0 } = options;
  expectInteger(caller, 'length', length, 1);
  expectArgument(caller, 'noise', noise >= 0 && noise < MAX_NOISE, `be in [0, ${MAX_NOISE})`, noise, 'Beyond that the moons touch.');
  const images = new Float32Array(2 * length);
  for (let id = 0; id < length; id++) {
    const [along, around, out] = rng.stream('two-moons').at(id).uniform(3);
    const t = Math.PI * along!;
    const [x, y] = id % 2 === 0 ? [Math.cos(t), Math.sin(t)] : [1 - Math.cos(t), 0.5 - Math.sin(t)];
    const radius = noise * Math.sqrt(out!);
    images[2 * id] = x + radius * Math.cos(2 * Math.PI * around!);
    images[2 * id + 1] = y + radius * Math.sin(2 * Math.PI * around!);
  }
  const dataset = arrayDataset({
    name: 'two moons',
    split: 'synthetic',
    images,
    labels: Int32Array.from({ length }, (_, id) => id % 2),
    inputShape: [1, 1, 2],
    classNames: ['upper moon', 'lower moon'],
    bounds: [-1 - MAX_NOISE, 2 + MAX_NOISE],
  });
  return { dataset, distance: 0.5 - 2 * noise };
}
