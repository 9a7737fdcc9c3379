import { type Tensor, type Tensor4D, conv2d, depthwiseConv2d, grad, mul, sum, tidy } from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, it } from 'vitest';
import { useBackend } from '../../use-backend.js';
import { expectAgreement, normals } from '../agreement.js';

beforeAll(async () => {
  await useBackend('cpu');
  await useBackend('wasm');
});

type Pad = 'same' | 'valid' | number | [[number, number], [number, number], [number, number], [number, number]];

const side = fc.integer({ min: 1, max: 9 });
const pads = fc.integer({ min: 0, max: 3 });
const explicit = fc.tuple(pads, pads, pads, pads).map(([t, b, l, r]): Pad => [[0, 0], [t, b], [l, r], [0, 0]]);

const geometry = fc
  .record({
    batch: fc.integer({ min: 1, max: 3 }),
    h: side,
    w: side,
    ci: fc.integer({ min: 1, max: 9 }),
    co: fc.integer({ min: 1, max: 14 }),
    kh: fc.integer({ min: 1, max: 4 }),
    kw: fc.integer({ min: 1, max: 4 }),
    strides: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    pad: fc.oneof(fc.constant<Pad>('same'), fc.constant<Pad>('valid'), explicit),
    seed: fc.integer({ min: 1, max: 1e6 }),
  })
  .filter(({ h, w, kh, kw, pad }) => {
    const [rows, columns] = Array.isArray(pad) ? [h + pad[1][0] + pad[1][1], w + pad[2][0] + pad[2][1]] : [h, w];
    return pad === 'same' || (rows >= kh && columns >= kw);
  });
type Geometry = typeof geometry extends fc.Arbitrary<infer T> ? T : never;

/** One gradient of `sum(conv(x, filter) * weights)`, made on the running engine. */
function gradientOf(which: 'x' | 'filter', { batch, h, w, ci, co, kh, kw, strides, pad, seed }: Geometry, depth?: number): Tensor {
  return tidy(() => {
    const x = normals([batch, h, w, ci], seed) as Tensor4D;
    const filter = normals([kh, kw, ci, depth ?? co], seed + 1) as Tensor4D;
    const convolve = (images: Tensor4D, taps: Tensor4D): Tensor4D =>
      depth === undefined ? conv2d(images, taps, strides, pad as 'same', 'NHWC', 1, roundingOf(pad)) : depthwiseConv2d(images, taps, strides, pad as 'same', 'NHWC', 1, roundingOf(pad));
    const weights = normals(convolve(x, filter).shape, seed + 2);
    const loss = (images: Tensor4D, taps: Tensor4D) => sum(mul(convolve(images, taps), weights));
    return which === 'x' ? grad((t: Tensor) => loss(t as Tensor4D, filter))(x) : grad((t: Tensor) => loss(x, t as Tensor4D))(filter);
  });
}

const roundingOf = (pad: Pad): 'floor' | undefined => (typeof pad === 'string' ? undefined : 'floor');

describe('conv2dBackpropInput', () => {
  it('agrees with the cpu engine for any stride, padding and size', async () => {
    await fc.assert(fc.asyncProperty(geometry, (g) => expectAgreement(() => gradientOf('x', g))), { seed: 1, numRuns: 120 });
  });
});

describe('conv2dBackpropFilter', () => {
  it('agrees with the cpu engine for any stride, padding and size', async () => {
    await fc.assert(fc.asyncProperty(geometry, (g) => expectAgreement(() => gradientOf('filter', g))), { seed: 2, numRuns: 120 });
  });
});

describe('depthwise gradients', () => {
  it.each(['x', 'filter'] as const)('agree with the cpu engine for any stride, padding and multiplier: %s', async (which) => {
    const property = fc.asyncProperty(geometry, fc.integer({ min: 1, max: 3 }), (g, depth) => expectAgreement(() => gradientOf(which, g, depth)));
    await fc.assert(property, { seed: 3, numRuns: 80 });
  });
});
