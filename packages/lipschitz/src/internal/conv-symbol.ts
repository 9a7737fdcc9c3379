import type { ConvAxis, ConvOperator } from './conv-geometry.js';
import { ringLength } from './conv-geometry.js';
import { type ComplexMatrix, frobeniusNorm } from './gram.js';
import { UNIT } from './rounding.js';

/** The block-diagonal form of a convolution on a ring: one complex matrix a frequency. */
export interface ConvSymbol {
  /** Frequencies that matter; the others are complex conjugates of these. */
  readonly frequencies: readonly (readonly [number, number])[];
  /** Number of frequencies along height and width. */
  readonly periods: readonly [number, number];
  /** Matrix of one frequency, fewer rows than columns. */
  at(frequency: readonly [number, number]): Required<ComplexMatrix>;
  /** Largest rounding error of a matrix, in the Frobenius norm. */
  readonly error: number;
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

  const at = ([f, g]: readonly [number, number]): Required<ComplexMatrix> => {
    const re = new Float64Array(rows * cols);
    const im = new Float64Array(rows * cols);
    for (let a = 0; a < kh; a++) {
      for (let b = 0; b < kw; b++) {
        const turn = ((f * h.shift[a]!) % h.period) / h.period + ((g * w.shift[b]!) % w.period) / w.period;
        const cosine = Math.cos(2 * Math.PI * turn);
        const sine = Math.sin(2 * Math.PI * turn);
        const block = (h.phases.indexOf(h.phase[a]!) * w.phases.length + w.phases.indexOf(w.phase[b]!)) * cin;
        let k = (a * kw + b) * cin * cout;
        for (let i = 0; i < cin; i++) {
          let target = transposed ? (block + i) * cols : block + i;
          for (let o = 0; o < cout; o++, k++, target += transposed ? 1 : cols) {
            re[target] = re[target]! + values[k]! * cosine;
            im[target] = im[target]! + values[k]! * sine;
          }
        }
      }
    }
    return { rows, cols, re, im };
  };

  const frequencies: [number, number][] = [];
  for (let f = 0; f < h.period; f++) for (let g = 0; g <= Math.floor(w.period / 2); g++) frequencies.push([f, g]);

  const channels = new Float64Array(cin * cout);
  values.forEach((value, k) => (channels[k % channels.length] = channels[k % channels.length]! + Math.abs(value)));
  // Each entry is a sum of kh·kw products; 64 covers the angle, its cosine and the two parts.
  const error = (4 * kh * kw + 64) * UNIT * frobeniusNorm(channels);
  return { frequencies, periods: [h.period, w.period], at, error };
}
