import { describe, expect, it } from 'vitest';
import { CIFAR100_CLASSES, CIFAR100_COARSE_CLASSES, CIFAR10_CLASSES } from '../sets/cifar-classes.js';
import { expectOnlyFormatErrors, formatError } from '../testing/expect-format-errors.js';
import { parseCifar10, parseCifar100 } from './cifar.js';

const planes = (seed: number): Uint8Array => new Uint8Array(3072).map((_, i) => (i * 31 + (i >> 10) * 7 + seed) % 256);
const read10 = (data: Uint8Array): unknown => parseCifar10(data, { file: 'my.file' });
const read100 = (data: Uint8Array): unknown => parseCifar100(data, { file: 'my.file' });

describe('parseCifar10', () => {
  it('turns colour planes into pixels', () => {
    const { images, labels } = parseCifar10(Uint8Array.of(3, ...planes(0), 9, ...planes(5)));
    expect(Array.from(labels)).toEqual([3, 9]);
    expect(images.length).toBe(2 * 3072);
    // Pixel (row 1, column 2) of the second image is entry 34 of each plane.
    const pixel = 3072 + (32 + 2) * 3;
    expect(Array.from(images.subarray(pixel, pixel + 3))).toEqual([0, 1, 2].map((c) => planes(5)[c * 1024 + 34]));
  });

  it('says which rule a file breaks', () => {
    expect(formatError(read10, new Uint8Array(0))).toContain('multiple of 3073 bytes');
    expect(formatError(read10, new Uint8Array(3074))).toContain('got 3074');
    expect(formatError(read10, Uint8Array.of(0, ...planes(0), 10, ...planes(0)))).toContain('labels in [0, 10), got 10 at byte 3073');
  });

  it('survives fuzzing', () => expectOnlyFormatErrors(read10, Uint8Array.of(3, ...planes(0)), 50));
});

describe('parseCifar100', () => {
  it('reads the coarse label before the fine one', () => {
    const { fine, coarse, images } = parseCifar100(Uint8Array.of(19, 99, ...planes(0)));
    expect([coarse[0], fine[0]]).toEqual([19, 99]);
    expect(Array.from(images.subarray(0, 3))).toEqual([0, 1, 2].map((c) => planes(0)[c * 1024]));
  });

  it('checks each label against its own number of classes', () => {
    expect(formatError(read100, Uint8Array.of(20, 0, ...planes(0)))).toContain('labels in [0, 20), got 20 at byte 0');
    expect(formatError(read100, Uint8Array.of(0, 100, ...planes(0)))).toContain('labels in [0, 100), got 100 at byte 1');
  });

  it('survives fuzzing', () => expectOnlyFormatErrors(read100, Uint8Array.of(3, 4, ...planes(0)), 50));
});

describe('class names of CIFAR', () => {
  it.each([CIFAR10_CLASSES, CIFAR100_CLASSES, CIFAR100_COARSE_CLASSES])('are distinct and in alphabetical order', (...names) => {
    expect([10, 20, 100]).toContain(names.length);
    expect(new Set(names).size).toBe(names.length);
    expect(names.toSorted()).toEqual(names);
  });
});
