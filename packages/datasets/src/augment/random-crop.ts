import { expectInteger, expectKnownKeys } from '@moe/core';
import type { Augment } from './augment.js';

/**
 * Pads each image with zeros and cuts a window of the old size at a random place.
 *
 * @remarks
 * Both offsets are uniform on `0 … 2 · padding`, as `torchvision.transforms.RandomCrop(size, padding)`.
 *
 * @param options - `padding`: pixels added on every side, ≥ 1.
 * @throws ArgumentError if `padding` is no such integer.
 *
 * @example
 * batches(train, { batchSize: 64, rng, augment: [randomCrop({ padding: 4 })] });
 */
export function randomCrop(options: { readonly padding: number }): Augment {
  expectKnownKeys('randomCrop', options, ['padding']);
  const { padding } = options;
  expectInteger('randomCrop', 'padding', padding, 1);
  return (batch, rngOf) => {
    const [length, height, width, channels] = batch.shape;
    const inputs = new Float32Array(batch.inputs.length);
    for (let row = 0; row < length; row++) {
      const [down, right] = rngOf(batch.ids[row]!).integers(2, 2 * padding + 1);
      // Pixel (y, x) comes from (y + dy, x + dx) of the image without padding.
      const dy = down! - padding;
      const dx = right! - padding;
      const from = Math.max(0, dx);
      const count = width - Math.abs(dx);
      if (count <= 0) continue;
      for (let y = Math.max(0, -dy); y < Math.min(height, height - dy); y++) {
        const source = ((row * height + y + dy) * width + from) * channels;
        const target = ((row * height + y) * width + from - dx) * channels;
        inputs.set(batch.inputs.subarray(source, source + count * channels), target);
      }
    }
    return { ...batch, inputs };
  };
}
