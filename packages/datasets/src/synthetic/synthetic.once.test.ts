import { type Dataset, createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { describeDataset } from '../testing/describe-dataset.js';
import { colouredShapes } from './coloured-shapes.js';
import { concentricSpheres } from './concentric-spheres.js';
import { gaussianBlobs } from './gaussian-blobs.js';
import { twoMoons } from './two-moons.js';

const SETS: [string, (length: number, seed?: number) => Dataset][] = [
  ['gaussianBlobs', (length, seed = 1) => gaussianBlobs({ rng: createRng(seed), length, inputShape: [2, 2, 1], classes: 3, separation: 2, std: 0.5 }).dataset],
  ['twoMoons', (length, seed = 1) => twoMoons({ rng: createRng(seed), length, noise: 0.2 }).dataset],
  ['concentricSpheres', (length, seed = 1) => concentricSpheres({ rng: createRng(seed), length, inputShape: [1, 1, 5] }).dataset],
  ['colouredShapes', (length, seed = 1) => colouredShapes({ rng: createRng(seed), length })],
];

const rowsOf = async (dataset: Dataset): Promise<{ x: Float32Array; label: number }[]> => {
  const { inputs, labels } = await dataset.read(Array.from({ length: dataset.length }, (_, i) => i));
  const size = inputs.length / labels.length;
  return Array.from(labels, (label, i) => ({ x: inputs.subarray(i * size, (i + 1) * size), label }));
};
/** Standard normal distribution function, by Simpson's rule on the density from 0. */
const phi = (x: number): number => {
  const density = (t: number): number => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  const steps = 200;
  const h = x / steps;
  let total = density(0) + density(x);
  for (let i = 1; i < steps; i++) total += density(i * h) * (i % 2 === 1 ? 4 : 2);
  return 0.5 + (total * h) / 3;
};

describe.each(SETS)('%s', (name, make) => {
  describeDataset(name, () => make(10));

  it('gives example i the same values whatever the length, and others for another seed', async () => {
    const [short, long, other] = [await rowsOf(make(7)), await rowsOf(make(20)), await rowsOf(make(7, 2))];
    expect(long.slice(0, 7)).toEqual(short);
    expect(other).not.toEqual(short);
  });

  it('holds the classes in turn', async () => {
    const dataset = make(12);
    expect((await rowsOf(dataset)).map(({ label }) => label)).toEqual(Array.from({ length: 12 }, (_, i) => i % dataset.classNames.length));
  });
});

describe('gaussianBlobs', () => {
  it('is classified by its best linear classifier as often as the closed forms say, clean and under attack', async () => {
    const length = 4000;
    const { dataset, means } = gaussianBlobs({ rng: createRng(1), length, inputShape: [1, 1, 3], separation: 2, std: 1 });
    // Margin to the plane halfway between the means, whose unit normal is (μ₀ - μ₁) / s; ±1 for the label.
    const normal = [0, 1, 2].map((i) => (means[i]! - means[3 + i]!) / 2);
    expect(Math.hypot(...normal)).toBeCloseTo(1, 6);
    const margins = (await rowsOf(dataset)).map(({ x, label }) => (label === 0 ? 1 : -1) * normal.reduce((total, n, i) => total + n * x[i]!, 0));
    const accuracy = (shift: number): number => margins.filter((margin) => margin > shift).length / length;
    const error = 4 * Math.sqrt(0.25 / length);
    expect(Math.abs(accuracy(0) - phi(1))).toBeLessThan(error);
    // L2 moves a point by ε towards the plane, L∞ by ε ‖normal‖₁ = √2 ε.
    const eps = 0.4;
    expect(Math.abs(accuracy(eps) - phi(1 - eps))).toBeLessThan(error);
    expect(normal.reduce((total, n) => total + Math.abs(n), 0)).toBeCloseTo(Math.SQRT2, 6);
    expect(Math.abs(accuracy(Math.SQRT2 * eps) - phi(1 - Math.SQRT2 * eps))).toBeLessThan(error);
  });

  it('puts any two class means at the given distance', () => {
    const { means } = gaussianBlobs({ rng: createRng(1), length: 1, inputShape: [2, 2, 1], classes: 4, separation: 3, std: 1 });
    for (const [a, b] of [[0, 1], [1, 3], [0, 2]] as const) {
      expect(Math.hypot(...[0, 1, 2, 3].map((i) => means[a * 4 + i]! - means[b * 4 + i]!))).toBeCloseTo(3, 5);
    }
  });

  it('refuses more classes than input values, and no spread', () => {
    const options = { rng: createRng(1), length: 4, inputShape: [1, 1, 2], separation: 1, std: 1 } as const;
    expect(() => gaussianBlobs({ ...options, classes: 3 })).toThrow('classes must be an integer in [2, 2], got 3');
    expect(() => gaussianBlobs({ ...options, std: 0 })).toThrow('std must be a finite number > 0');
    expect(() => gaussianBlobs({ ...options, seed: 1 } as never)).toThrow('unknown option');
  });
});

const nearest = (rows: readonly { x: Float32Array; label: number }[]): number => {
  let least = Infinity;
  for (const a of rows) for (const b of rows) if (a.label < b.label) least = Math.min(least, Math.hypot(...a.x.map((value, i) => value - b.x[i]!)));
  return least;
};

describe('twoMoons', () => {
  it('keeps the classes as far apart as it says, and not much further', async () => {
    for (const noise of [0, 0.2]) {
      const { dataset, distance } = twoMoons({ rng: createRng(1), length: 1500, noise });
      expect(distance).toBeCloseTo(0.5 - 2 * noise, 12);
      const least = nearest(await rowsOf(dataset));
      expect(least).toBeGreaterThanOrEqual(distance - 1e-6);
      expect(least).toBeLessThan(distance + 0.1);
    }
  });

  it('puts each class on its half circle', async () => {
    const rows = await rowsOf(twoMoons({ rng: createRng(1), length: 100 }).dataset);
    for (const { x, label } of rows) {
      expect(label === 0 ? Math.hypot(x[0]!, x[1]!) : Math.hypot(x[0]! - 1, x[1]! - 0.5)).toBeCloseTo(1, 5);
      expect(label === 0 ? x[1]! : 0.5 - x[1]!).toBeGreaterThanOrEqual(-1e-6);
    }
  });

  it('refuses noise that lets the moons touch', () => {
    expect(() => twoMoons({ rng: createRng(1), length: 4, noise: 0.25 })).toThrow('noise must be in [0, 0.25), got 0.25. Beyond that the moons touch.');
  });
});

describe('concentricSpheres', () => {
  it('puts every example at its radius, all directions alike', async () => {
    const { dataset, distance } = concentricSpheres({ rng: createRng(1), length: 2000, inputShape: [1, 1, 3], radii: [1, 2] });
    expect(distance).toBe(1);
    const rows = await rowsOf(dataset);
    rows.forEach(({ x, label }) => expect(Math.hypot(...x)).toBeCloseTo([1, 2][label]!, 5));
    // Archimedes: a coordinate of a uniform point on the sphere is uniform on [-1, 1], variance 1/3.
    for (const axis of [0, 1, 2]) {
      const values = rows.map(({ x, label }) => x[axis]! / (label + 1));
      expect(Math.abs(values.reduce((total, value) => total + value, 0) / 2000)).toBeLessThan(0.05);
      expect(Math.abs(values.reduce((total, value) => total + value ** 2, 0) / 2000 - 1 / 3)).toBeLessThan(0.03);
    }
  });

  it.each([[[1, 1]], [[0, 1]], [[2, 1]], [[1, Infinity]]])('refuses the radii %j', (radii) => {
    expect(() => concentricSpheres({ rng: createRng(1), length: 4, inputShape: [1, 1, 3], radii: radii as [number, number] })).toThrow('radii must be [inner, outer]');
  });
});

describe('colouredShapes', () => {
  it('shows its class: the bright channel tells the colour and the number of bright pixels the shape, at a distance of 0.5 in L∞', async () => {
    const rows = await rowsOf(colouredShapes({ rng: createRng(1), length: 200, size: 7 }));
    for (const { x, label } of rows) {
      const bright = Array.from(x.keys()).filter((i) => x[i]! >= 0.7);
      expect(new Set(bright.map((i) => i % 3))).toEqual(new Set([label < 2 ? 0 : 2]));
      expect(bright.length).toBe(label % 2 === 0 ? 25 : 9);
      expect(Array.from(x).every((value) => value < 0.2 || value >= 0.7)).toBe(true);
    }
  });

  it('puts the shape everywhere', async () => {
    const rows = await rowsOf(colouredShapes({ rng: createRng(1), length: 300, size: 7 }));
    const corners = new Set(rows.filter(({ label }) => label === 0).map(({ x }) => x.findIndex((value) => value >= 0.7)));
    expect(corners.size).toBe(9);
  });

  it('refuses images that leave the shape no room', () => {
    expect(() => colouredShapes({ rng: createRng(1), length: 4, size: 5 })).toThrow('size must be an integer ≥ 6');
  });
});
