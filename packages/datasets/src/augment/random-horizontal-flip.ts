import type { Augment } from './augment.js';

/**
 * Mirrors each image left to right with probability 1/2.
 *
 * @example
 * batches(train, { batchSize: 64, rng, augment: [randomHorizontalFlip()] });
 */
export function randomHorizontalFlip(): Augment {
  return (batch, rngOf) => {
    const [length, height, width, channels] = batch.shape;
    const inputs = batch.inputs.slice();
    for (let row = 0; row < length; row++) {
      if (rngOf(batch.ids[row]!).integers(1, 2)[0] === 0) continue;
      for (let line = row * height; line < (row + 1) * height; line++) {
        for (let x = 0; x < width; x++) {
          const source = (line * width + width - 1 - x) * channels;
          inputs.set(batch.inputs.subarray(source, source + channels), (line * width + x) * channels);
        }
      }
    }
    return { ...batch, inputs };
  };
}
