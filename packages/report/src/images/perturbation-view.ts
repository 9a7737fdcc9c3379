import { expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import { type PixelImage, expectImage } from './image.js';

export interface PerturbationViewOptions {
  /** Difference shown as black or white, in the unit of the images; usually the `eps` of the attack. */
  readonly range: number;
}

/**
 * What an attack added to an image: grey 128 where nothing, white for `+range`, black for `-range`, cut beyond.
 *
 * @param clean       - floats.
 * @param adversarial - floats, same size.
 * @throws {@link ArgumentError} if sizes disagree, pixels are not finite floats or `range` is not positive.
 *
 * @example
 * ```ts
 * import { perturbationView } from '@moe/report';
 *
 * const pixel = (value: number) => ({ data: Float32Array.of(value), height: 1, width: 1, channels: 1 });
 * console.log(perturbationView(pixel(0.5), pixel(0.6), { range: 0.1 }).data[0]); // 255
 * ```
 */
export function perturbationView(clean: PixelImage, adversarial: PixelImage, options: PerturbationViewOptions): PixelImage {
  expectKnownKeys('perturbationView', options, ['range']);
  const { range } = options;
  expectNumber('perturbationView', 'range', range);
  expectArgument('perturbationView', 'range', range > 0, 'be positive', range);
  expectImage('perturbationView', 'clean', clean);
  expectImage('perturbationView', 'adversarial', adversarial);
  for (const key of ['height', 'width', 'channels'] as const) {
    expectArgument('perturbationView', `adversarial.${key}`, adversarial[key] === clean[key], `be that of clean, ${clean[key]}`, adversarial[key]);
  }
  const [before, after] = [clean.data, adversarial.data];
  const floats = before instanceof Float32Array && after instanceof Float32Array;
  expectArgument('perturbationView', 'data of both images', floats, 'be Float32Array', 'Uint8Array', 'Bytes are too coarse for small differences.');
  const data = Uint8Array.from(after, (value, index) => {
    const difference = value - before[index]!;
    expectArgument('perturbationView', `pixel ${index}`, Number.isFinite(difference), 'be finite in both images', difference);
    return Math.round(Math.min(255, Math.max(0, 128 + (127 * difference) / range)));
  });
  return { data, height: clean.height, width: clean.width, channels: clean.channels };
}
