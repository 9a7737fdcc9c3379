import { type Batch, type Rng, createRng } from '@moe/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Augment } from './augment.js';
import { adjustBrightness, adjustContrast, adjustHue, adjustSaturation } from './color.js';
import { colorJitter } from './color-jitter.js';
import { randomCrop } from './random-crop.js';
import { randomHorizontalFlip } from './random-horizontal-flip.js';

/** Images with a different value in every place. */
function batchOf(ids: readonly number[], [height, width, channels]: readonly [number, number, number]): Batch {
  const size = height * width * channels;
  const inputs = Float32Array.from(ids.flatMap((id) => Array.from({ length: size }, (_, i) => (((id + 1) * 131 + i * 17) % 1009) / 1009)));
  return { inputs, labels: Int32Array.from(ids, (id) => id % 2), ids: Int32Array.from(ids), shape: [ids.length, height, width, channels] };
}
const rngOf = (seed: number) => (id: number): Rng => createRng(seed).at(id);
const expectClose = (actual: ArrayLike<number>, expected: readonly number[]): void => {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, 5));
};

const AUGMENTS: [string, Augment][] = [
  ['randomCrop', randomCrop({ padding: 2 })],
  ['randomHorizontalFlip', randomHorizontalFlip()],
  ['colorJitter', colorJitter({ brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.3 })],
];

describe.each(AUGMENTS)('%s', (_name, augment) => {
  it('changes an example by its id alone, whatever else is in the batch', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(50), { minLength: 1, maxLength: 6 }), fc.nat(), (ids, seed) => {
        const together = augment(batchOf(ids, [4, 5, 3]), rngOf(seed));
        ids.forEach((id, row) => {
          const alone = augment(batchOf([id], [4, 5, 3]), rngOf(seed));
          expect(together.inputs.subarray(row * 60, (row + 1) * 60)).toEqual(alone.inputs);
        });
      }),
      { numRuns: 40, seed: 1 },
    );
  });

  it('leaves its argument, labels, ids and shape alone, and keeps to [0, 1]', () => {
    const batch = batchOf([0, 1, 2, 3, 4, 5], [4, 5, 3]);
    const before = batch.inputs.slice();
    const result = augment(batch, rngOf(1));
    expect(batch.inputs).toEqual(before);
    expect(result.inputs).not.toEqual(before);
    expect({ ...result, inputs: 0 }).toEqual({ ...batch, inputs: 0 });
    expect(result.inputs.every((value) => value >= 0 && value <= 1)).toBe(true);
  });
});

describe('randomCrop', () => {
  it('shifts by every offset in -p … p alike, with zeros coming in', () => {
    const seen = new Map<string, number>();
    const [height, width] = [3, 4];
    for (let id = 0; id < 2000; id++) {
      const batch = batchOf([id], [height, width, 2]);
      const { inputs } = randomCrop({ padding: 1 })(batch, rngOf(3));
      const shifts = [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => [dy, dx] as const));
      const fits = shifts.filter(([dy, dx]) =>
        inputs.every((value, i) => {
          const [y, x, c] = [Math.floor(i / 8) + dy, (Math.floor(i / 2) % 4) + dx, i % 2];
          return value === (y < 0 || y >= height || x < 0 || x >= width ? 0 : batch.inputs[(y * width + x) * 2 + c]);
        }),
      );
      expect(fits).toHaveLength(1);
      seen.set(String(fits[0]), (seen.get(String(fits[0])) ?? 0) + 1);
    }
    // Binomial(2000, 1/9): 222 ± 14.
    expect(seen.size).toBe(9);
    for (const count of seen.values()) expect(Math.abs(count - 222)).toBeLessThan(70);
  });

  it('may shift an image out of sight altogether', () => {
    const values = Array.from({ length: 100 }, (_, id) => randomCrop({ padding: 3 })({ ...batchOf([id], [1, 1, 1]), inputs: Float32Array.of(1) }, rngOf(1)).inputs[0]);
    // In place with probability 1/49.
    expect(new Set(values)).toEqual(new Set([0, 1]));
    expect(values.filter((value) => value === 1).length).toBeLessThan(10);
  });

  it.each([0, -1, 1.5, NaN])('refuses padding %d', (padding) => {
    expect(() => randomCrop({ padding })).toThrow('randomCrop: padding must be an integer ≥ 1');
  });
});

describe('randomHorizontalFlip', () => {
  it('mirrors about half of the images, channel order kept', () => {
    let flipped = 0;
    for (let id = 0; id < 1000; id++) {
      const batch = { ...batchOf([id], [1, 2, 2]), inputs: Float32Array.of(1, 2, 3, 4) };
      const result = Array.from(randomHorizontalFlip()(batch, rngOf(4)).inputs).join();
      expect(['1,2,3,4', '3,4,1,2']).toContain(result);
      if (result !== '1,2,3,4') flipped++;
    }
    // Binomial(1000, 1/2): 500 ± 16.
    expect(Math.abs(flipped - 500)).toBeLessThan(65);
  });
});

describe('colour adjustments', () => {
  const pixels = [0.8, 0.2, 0.4, 0.1, 0.6, 0.3, 0.25, 0.5, 0.9, 0.5, 0.5, 0.5];
  const adjusted = (adjust: typeof adjustHue, factor: number, image = pixels, channels = 3): Float32Array => {
    const copy = Float32Array.from(image);
    adjust(copy, channels, factor);
    return copy;
  };

  // Python 3.11: colorsys.hsv_to_rgb((h + turn) % 1, s, v) with h, s, v = colorsys.rgb_to_hsv(r, g, b).
  it.each([
    [0.1, [0.8, 0.36, 0.2, 0.1, 0.6, 0.6, 0.39, 0.25, 0.9, 0.5, 0.5, 0.5]],
    [-0.3, [0.2, 0.28, 0.8, 0.6, 0.4, 0.1, 0.37, 0.9, 0.25, 0.5, 0.5, 0.5]],
    [0.5, [0.2, 0.8, 0.6, 0.6, 0.1, 0.4, 0.9, 0.65, 0.25, 0.5, 0.5, 0.5]],
  ])('turn the hue by %d as colorsys does', (turn, expected) => {
    expectClose(adjusted(adjustHue, turn), expected);
  });

  it('scale brightness and clamp', () => {
    expectClose(adjusted(adjustBrightness, 1.5, [0.2, 0.4, 0.8]), [0.3, 0.6, 1]);
  });

  it('move saturation away from the grey value of the pixel', () => {
    // Grey 0.2989·0.8 + 0.587·0.2 + 0.114·0.4 = 0.40212; 1.5·x - 0.5·0.40212.
    expectClose(adjusted(adjustSaturation, 1.5, [0.8, 0.2, 0.4]), [0.99894, 0.09894, 0.39894]);
    expectClose(adjusted(adjustSaturation, 0, [0.8, 0.2, 0.4]), [0.40212, 0.40212, 0.40212]);
  });

  it('move contrast away from the mean grey value of the image', () => {
    // Greys 0.2989 and 0.587, mean 0.44295; 0.5·x + 0.5·0.44295.
    expectClose(adjusted(adjustContrast, 0.5, [1, 0, 0, 0, 1, 0]), [0.721475, 0.221475, 0.221475, 0.221475, 0.721475, 0.221475]);
    expectClose(adjusted(adjustContrast, 2, [0.4, 0.6], 1), [0.3, 0.7]);
  });

  it('leave one channel alone where there is no colour', () => {
    expectClose(adjusted(adjustHue, 0.3, [0.4, 0.6], 1), [0.4, 0.6]);
    expectClose(adjusted(adjustSaturation, 0.3, [0.4, 0.6], 1), [0.4, 0.6]);
  });
});

describe('colorJitter', () => {
  it('is the identity at strength 0, and applies one strength as its adjustment', () => {
    const batch = batchOf([7], [2, 2, 3]);
    expect(colorJitter({})(batch, rngOf(1)).inputs).toEqual(batch.inputs);
    const ratio = colorJitter({ brightness: 0.2 })(batch, rngOf(1)).inputs.map((value, i) => value / batch.inputs[i]!);
    expect(ratio[0]).toBeGreaterThanOrEqual(0.8);
    expect(ratio[0]).toBeLessThanOrEqual(1.2);
    expectClose(ratio, new Array(12).fill(ratio[0]!));
  });

  it('draws factors over their whole range and never below 0', () => {
    const grey: Batch = { ...batchOf([0], [1, 1, 1]), inputs: Float32Array.of(0.25) };
    const values = Array.from({ length: 500 }, (_, id) => colorJitter({ brightness: 2 })({ ...grey, ids: Int32Array.of(id) }, rngOf(1)).inputs[0]! / 0.25);
    expect(Math.min(...values)).toBeGreaterThan(0);
    expect(Math.min(...values)).toBeLessThan(0.05);
    expect(Math.max(...values)).toBeGreaterThan(2.9);
  });

  it('applies the steps in random order', () => {
    // With one grey pixel contrast does nothing, so brightness alone would give one value per factor; two pixels tell the orders apart.
    const batch: Batch = { ...batchOf([0], [1, 2, 1]), inputs: Float32Array.of(0.5, 1) };
    const jitter = colorJitter({ brightness: 1, contrast: 1 });
    const orders = new Set<string>();
    for (let id = 0; id < 50; id++) {
      const rng = rngOf(1)(id);
      rng.permutation(4);
      const [b, c] = Array.from(rng.uniform(4), (draw) => 2 * draw);
      const apply = (first: typeof adjustHue, f: number, second: typeof adjustHue, g: number): string => {
        const copy = batch.inputs.slice();
        first(copy, 1, f);
        second(copy, 1, g);
        return copy.join();
      };
      const result = jitter({ ...batch, ids: Int32Array.of(id) }, rngOf(1)).inputs.join();
      const ways = { bc: apply(adjustBrightness, b!, adjustContrast, c!), cb: apply(adjustContrast, c!, adjustBrightness, b!) };
      expect(Object.values(ways)).toContain(result);
      if (ways.bc !== ways.cb) orders.add(result === ways.bc ? 'bc' : 'cb');
    }
    expect(orders.size).toBe(2);
  });

  it('refuses strengths out of range and images without colours', () => {
    expect(() => colorJitter({ brightness: -1 })).toThrow('brightness must be a finite number ≥ 0');
    expect(() => colorJitter({ hue: 0.6 })).toThrow('hue must be a finite number in [0, 0.5]');
    expect(() => colorJitter({ colour: 1 } as never)).toThrow('unknown option');
    expect(() => colorJitter({ hue: 0.1 })(batchOf([0], [1, 1, 2]), rngOf(1))).toThrow('1 or 3 channels');
  });
});
