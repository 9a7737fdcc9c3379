import { ShapeError, expectKnownKeys, expectNumber } from '@moe/core';
import { adjustBrightness, adjustContrast, adjustHue, adjustSaturation } from './color.js';
import type { Augment } from './augment.js';

/** Strengths of {@link colorJitter}; 0 leaves a property alone. */
export interface ColorJitterOptions {
  /** Factor from `U(max(0, 1 - b), 1 + b)`. @defaultValue 0 */
  readonly brightness?: number;
  /** Factor from `U(max(0, 1 - c), 1 + c)`. @defaultValue 0 */
  readonly contrast?: number;
  /** Factor from `U(max(0, 1 - s), 1 + s)`. @defaultValue 0 */
  readonly saturation?: number;
  /** Turn of the colour circle from `U(-h, h)`, in turns, at most 0.5. @defaultValue 0 */
  readonly hue?: number;
}

const around1 = (strength: number): { low: number; high: number } => ({ low: Math.max(0, 1 - strength), high: 1 + strength });

/**
 * Changes brightness, contrast, saturation and hue of each image at random, in random order.
 *
 * @remarks
 * `torchvision.transforms.ColorJitter` on float images: values in `[0, 1]`, clamped after every step; the images need 3 channels, or 1, where
 * saturation and hue do nothing.
 *
 * @throws ArgumentError if a strength is out of range.
 *
 * @example
 * colorJitter({ brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.3 }); // as Robust Experts for CIFAR-100
 */
export function colorJitter(options: ColorJitterOptions): Augment {
  expectKnownKeys('colorJitter', options, ['brightness', 'contrast', 'saturation', 'hue']);
  const { brightness = 0, contrast = 0, saturation = 0, hue = 0 } = options;
  for (const [name, value] of Object.entries({ brightness, contrast, saturation })) expectNumber('colorJitter', name, value, 0);
  expectNumber('colorJitter', 'hue', hue, 0, 0.5);
  const steps = [
    { adjust: adjustBrightness, ...around1(brightness) },
    { adjust: adjustContrast, ...around1(contrast) },
    { adjust: adjustSaturation, ...around1(saturation) },
    { adjust: adjustHue, low: -hue, high: hue },
  ];
  return (batch, rngOf) => {
    const [length, height, width, channels] = batch.shape;
    if (channels !== 1 && channels !== 3) throw new ShapeError(`colorJitter: inputs must have 1 or 3 channels, got shape [${batch.shape.join(',')}].`);
    const inputs = batch.inputs.slice();
    const size = height * width * channels;
    for (let row = 0; row < length; row++) {
      const rng = rngOf(batch.ids[row]!);
      const order = rng.permutation(steps.length);
      const draws = rng.uniform(steps.length);
      const image = inputs.subarray(row * size, (row + 1) * size);
      for (const index of order) {
        const { adjust, low, high } = steps[index]!;
        if (low < high) adjust(image, channels, low + (high - low) * draws[index]!);
      }
    }
    return { ...batch, inputs };
  };
}
