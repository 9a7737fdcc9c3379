import type { ConvAxis, ConvOperator } from './conv-geometry.js';
import { ringLength } from './conv-geometry.js';
import { type ComplexMatrix, frobeniusNorm } from './gram.js';
import { transposed as transpose } from './real-matrix.js';
import { UNIT } from './rounding.js';

/** The block-diagonal form of a convolution on a ring: one complex matrix a frequency. */
export interface ConvSymbol {
  /** Number of frequencies along height and width. */
  readonly periods: readonly [number, number];
  /** Largest shift along height and width, in whole strides. */
  readonly reach: readonly [number, number];
  /** Matrix of one frequency, no more rows than columns; of the ring, or of another with as many frequencies as `periods` says. */
  at(frequency: readonly [number, number], periods?: readonly [number, number]): Required<ComplexMatrix>;
  /** Largest rounding error of a matrix, in the Frobenius norm. */
  readonly error: number;
}

/** A frequency, and of how many it is the only one that counts: the matrix of its mirror image is the complex conjugate of its own, and real where it is the same. */
export interface HalfFrequency {
  readonly frequency: readonly [number, number];
  readonly copies: 1 | 2;
}

/** Half of the frequencies of a ring. */
export function halfOf([height, width]: readonly [number, number]): HalfFrequency[] {
  const half: HalfFrequency[] = [];
  for (let f = 0; f < height; f++) {
    const mirror = (height - f) % height;
    for (let g = 0; 2 * g <= width; g++) {
      const alone = g === 0 || 2 * g === width;
      if (!alone || mirror >= f) half.push({ frequency: [f, g], copies: alone && mirror === f ? 1 : 2 });
    }
  }
  return half;
}

interface AxisSymbol {
  /** Number of frequencies. */
  readonly period: number;
  /** Remainder of each tap's offset by the stride. */
  readonly phase: readonly number[];
  /** Whole strides in each tap's offset. */
  readonly shift: readonly number[];
  readonly phases: readonly number[];
}

function axisSymbol(axis: ConvAxis): AxisSymbol {
  const offsets = Array.from({ length: axis.taps }, (_, tap) => tap * axis.dilation);
  const phase = offsets.map((offset) => offset % axis.stride);
  const shift = offsets.map((offset) => Math.floor(offset / axis.stride));
  // Without a shift the matrix is the same at every frequency.
  const period = shift.every((value) => value === 0) ? 1 : ringLength(axis) / axis.stride;
  return { period, phase, shift, phases: [...new Set(phase)] };
}

/**
 * Polyphase symbol of a convolution on the ring of {@link ringLength}.
 *
 * @remarks
 * `K̂(w)[o, (r, i)] = Σ K[a,b,i,o] e^{i w·(⌊a/s⌋, ⌊b/s⌋)}` over the taps whose offsets leave remainder r by the stride s. The largest singular value over the
 * frequencies is the exact norm of the strided circular convolution. The one with zero padding is that operator with rows and columns
 * removed, because what wraps around meets only zeros on a ring with room for the padding; so its norm is not larger.
 *
 * @see {@link https://arxiv.org/abs/1805.10408 | Sedghi et al. 2019}, whose ring of the input's length is not a bound for zero padding.
 */
export function convSymbol({ kernel: { shape, values }, height, width }: ConvOperator): ConvSymbol {
  const [kh, kw, cin, cout] = shape as [number, number, number, number];
  const [h, w] = [axisSymbol(height), axisSymbol(width)];
  const long = h.phases.length * w.phases.length * cin;
  const transposed = long < cout;
  const [rows, cols] = transposed ? [long, cout] : [cout, long];

  // Each tap as part of the matrix, row after row.
  const taps = Array.from({ length: kh * kw }, (_, tap) => {
    const part = values.subarray(tap * cin * cout, (tap + 1) * cin * cout);
    return transposed ? part : transpose(part, cin, cout);
  });

  const at = ([f, g]: readonly [number, number], periods: readonly [number, number] = [h.period, w.period]): Required<ComplexMatrix> => {
    const re = new Float64Array(rows * cols);
    const im = new Float64Array(rows * cols);
    taps.forEach((part, tap) => {
      const [a, b] = [Math.floor(tap / kw), tap % kw];
      const turn = ((f * h.shift[a]!) % periods[0]) / periods[0] + ((g * w.shift[b]!) % periods[1]) / periods[1];
      const cosine = Math.cos(2 * Math.PI * turn);
      const sine = Math.sin(2 * Math.PI * turn);
      const block = (h.phases.indexOf(h.phase[a]!) * w.phases.length + w.phases.indexOf(w.phase[b]!)) * cin;
      const [height, width, from] = transposed ? [cin, cout, block * cols] : [cout, cin, block];
      for (let r = 0, k = 0; r < height; r++) {
        for (let c = 0, target = from + r * cols; c < width; c++, k++, target++) {
          re[target] = re[target]! + part[k]! * cosine;
          im[target] = im[target]! + part[k]! * sine;
        }
      }
    });
    return { rows, cols, re, im };
  };

  const channels = new Float64Array(cin * cout);
  values.forEach((value, k) => (channels[k % channels.length] = channels[k % channels.length]! + Math.abs(value)));
  // Each entry is a sum of kh·kw products; 64 covers the angle, its cosine and the two parts.
  const error = (4 * kh * kw + 64) * UNIT * frobeniusNorm(channels);
  return { periods: [h.period, w.period], reach: [Math.max(...h.shift), Math.max(...w.shift)], at, error };
}
