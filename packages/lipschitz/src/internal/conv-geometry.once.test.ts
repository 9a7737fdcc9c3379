import { describe, expect, it } from 'vitest';
import { type ConvPadding, convOperator, ringLength, tapSets } from './conv-geometry.js';

const axisOf = (taps: number, inputSize: number, stride: number, dilation: number, padding: ConvPadding) =>
  convOperator('test', { shape: [taps, taps, 1, 1], values: new Float64Array(taps * taps) }, { inputSize, strides: stride, dilations: dilation, padding }).height;

describe('ringLength', () => {
  it('leaves room for the padding: what wraps around meets no pixel, in every small case', () => {
    // This is what the proof that zero padding is a part of the circular operator needs, and all it needs.
    let cases = 0;
    for (const padding of ['same', 'valid', 0, 1, 2, 3] as const) {
      for (let taps = 1; taps <= 5; taps++) for (let size = 1; size <= 7; size++) for (let stride = 1; stride <= 4; stride++) for (let dilation = 1; dilation <= 2; dilation++) {
        const zeros = typeof padding === 'number' ? padding : 0;
        if (padding !== 'same' && size + 2 * zeros < (taps - 1) * dilation + 1) continue;
        const axis = axisOf(taps, size, stride, dilation, padding);
        const ring = ringLength(axis);
        const label = JSON.stringify({ ...axis, padding, ring });
        expect(ring % stride, label).toBe(0);
        expect(stride * (axis.outputs - 1), label).toBeLessThan(ring);
        for (let output = 0; output < axis.outputs; output++) {
          for (let tap = 0; tap < taps; tap++) {
            const position = stride * output + dilation * tap - axis.before;
            const wrapped = ((position % ring) + ring) % ring;
            if (position >= 0 && position < size) expect(wrapped, label).toBe(position);
            else expect(wrapped, label).toBeGreaterThanOrEqual(size);
          }
        }
        cases++;
      }
    }
    expect(cases).toBeGreaterThan(1000);
  });

  it('is the image plus the longer padding, rounded up to the stride', () => {
    expect(ringLength(axisOf(3, 8, 1, 1, 'same'))).toBe(9);
    expect(ringLength(axisOf(5, 8, 1, 1, 'same'))).toBe(10);
    // One zero before, none after is read: 8 + 1, even.
    expect(ringLength(axisOf(3, 8, 2, 1, 1))).toBe(10);
    expect(ringLength(axisOf(3, 8, 1, 1, 'circular'))).toBe(8);
  });
});

describe('tapSets', () => {
  it('lists what one output reads and one input feeds', () => {
    // Three pixels, three taps, one zero on either side: outputs read {1, 2}, {0, 1, 2}, {0, 1}.
    expect(tapSets(axisOf(3, 3, 1, 1, 'same'), 'output')).toEqual([[1, 2], [0, 1, 2], [0, 1]]);
    // Stride 2 without padding on five pixels: even inputs feed taps 0 and 2, odd ones tap 1.
    expect(tapSets(axisOf(3, 5, 2, 1, 'valid'), 'input')).toEqual([[0], [1], [2, 0], [2]]);
  });
});
