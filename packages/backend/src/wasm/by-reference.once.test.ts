// What tfjs-core's own specs (pnpm bench conformance) leave open: memory, and arguments that they do not try.
import { type Tensor, type Tensor4D, avgPool, backend, clipByValue, complex, concat, fft, ifft, imag, isNaN, max, maxPool, memory, mul, prelu, real, setBackend, slice, stack, tensor, tidy, tile, where } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../use-backend.js';
import { expectAgreement, normals } from './agreement.js';

beforeAll(async () => {
  await useBackend('cpu');
  await useBackend('wasm');
});

/** Real and imaginary parts one above the other. */
const parts = (x: Tensor): Tensor => concat([real(x), imag(x)], 0);

const wave = (seed: number): Tensor => complex(normals([3, 8], seed), normals([3, 8], seed + 1));

describe('complex tensors', () => {
  it.each(Object.entries<(x: Tensor) => Tensor>({ fft, ifft, square: (x) => mul(x, x), joined: (x) => concat([x, x], 1) }))('%s agrees with the cpu engine and keeps nothing', async (_, operation) => {
    await expectAgreement(() => tidy(() => parts(operation(wave(1)))));
  });

  it('are read as tfjs hands them over', async () => {
    await setBackend('wasm');
    const x = complex(tensor([1, 2]), tensor([3, 4]));
    expect(Array.from(x.dataSync())).toEqual([1, 3, 2, 4]);
    expect(Array.from((await x.data()).slice())).toEqual([1, 3, 2, 4]);
    x.dispose();
  });

  it('are refused where they mean nothing', async () => {
    await setBackend('wasm');
    const x = wave(3);
    const before = [memory().numTensors, backend().numDataIds()];
    expect(() => tidy(() => max(x))).toThrow('max does not support complex64');
    expect([memory().numTensors, backend().numDataIds()]).toEqual(before);
    x.dispose();
  });
});

describe('strings', () => {
  it('are moved about like numbers', async () => {
    await setBackend('wasm');
    const words = tensor([['a', 'b'], ['c', 'd']]);
    const before = backend().numDataIds();
    const moved = tidy(() => stack([concat([slice(words, [1], [1]), slice(words, [0], [1])], 0), tile(slice(words, [1], [1]), [2, 1])]));
    expect([moved.shape, moved.dtype, moved.dataSync()]).toEqual([[2, 2, 2], 'string', ['c', 'd', 'a', 'b', 'c', 'd', 'c', 'd']]);
    moved.dispose();
    expect(backend().numDataIds()).toBe(before);
    words.dispose();
  });
});

describe('ClipByValue', () => {
  it('keeps NaN, infinities and every length within SIMD lanes', async () => {
    for (const length of [1, 3, 4, 7, 32]) await expectAgreement(() => tidy(() => clipByValue(normals([length], length), -0.5, 0.7)));
    await setBackend('wasm');
    const clipped = tidy(() => clipByValue(tensor([NaN, Infinity, -Infinity, NaN, 1, NaN]), -2, 3));
    expect(Array.from(clipped.dataSync())).toEqual([NaN, 3, -2, NaN, 1, NaN]);
    clipped.dispose();
  });

  it('clips integers', () => expectAgreement(() => tidy(() => clipByValue(tensor([5, -5, 0], [3], 'int32'), -1, 3))));
});

/** The mean of nothing is NaN, which equals nothing. */
const markNaN = (x: Tensor): Tensor => where(isNaN(x), 99, x);

describe('pooling', () => {
  it('is defined where a window lies in the padding alone', async () => {
    const images = (): Tensor4D => normals([2, 5, 5, 3], 1) as Tensor4D;
    await expectAgreement(() => tidy(() => maxPool(images(), 2, 2, 3, 'floor')));
    await expectAgreement(() => tidy(() => markNaN(avgPool(images(), 2, 2, 3, 'floor'))));
  });
});

describe('Prelu', () => {
  it('broadcasts its slopes', async () => {
    for (const slopes of [[3, 1, 1], [2, 3, 4, 4], [4], []]) await expectAgreement(() => tidy(() => prelu(normals([2, 3, 4, 4], 1), normals(slopes, 2))));
  });
});
