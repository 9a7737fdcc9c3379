import { type ConvSymbol, halfOf } from '../conv-symbol.js';
import { frobeniusNorm } from '../gram.js';
import { UNIT, roundUp } from '../rounding.js';
import { type Hermitian, gramSlack, rowAt, rowGram } from './hermitian.js';
import { type Rounded } from './proved-norm.js';

/** Gram matrices `K̂ K̂*` of a symbol, one a frequency, those with the largest trace first. */
export interface SymbolGrams {
  readonly count: number;
  /** The arrays of one are those of the next. */
  at(index: number): Rounded;
}

/** How much each of `samples` equally spaced points counts for frequency f of `period`: alone if they are the frequencies, else by interpolation of trigonometric polynomials of degree `samples / 2`. */
function weightsOf(f: number, period: number, samples: number): number[] {
  return Array.from({ length: samples }, (_, j) => {
    if (samples === period) return f === j ? 1 : 0;
    let sum = 1;
    for (let k = 1; 2 * k < samples; k++) {
      const turn = (k * (f * samples - j * period)) % (period * samples);
      sum += 2 * Math.cos((2 * Math.PI * turn) / (period * samples));
    }
    return sum / samples;
  });
}

const traceOf = ({ size, re }: Hermitian): number => {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += re[rowAt(i) + i]!;
  return sum;
};

const magnitude = (weights: readonly number[]): number => weights.reduce((sum, weight) => sum + Math.abs(weight), 0);

/**
 * The Gram matrices of all frequencies from those of a few.
 *
 * @remarks
 * For taps with shifts up to r the Gram matrix is a trigonometric polynomial of degree r along each axis, so `2r + 1` points an axis determine it: 13 matrix products for a 3×3 kernel, half of the
 * 25 being conjugates, whatever the image's size.
 */
export function symbolGrams(symbol: ConvSymbol): SymbolGrams {
  const { periods, reach } = symbol;
  const counts = [0, 1].map((axis) => Math.min(periods[axis]!, 2 * reach[axis]! + 1)) as [number, number];
  let square = 0;
  let cols = 0;
  const samples = halfOf(counts).map(({ frequency, copies }) => {
    const { re, im, ...size } = symbol.at(frequency, counts);
    cols = size.cols;
    square = Math.max(square, roundUp(frobeniusNorm(re, im) ** 2, 2));
    // A point that is its own mirror image has a real matrix.
    const gram = rowGram(copies === 1 ? { re, ...size } : { re, im, ...size });
    return { frequency, copies, gram, trace: traceOf(gram) };
  });
  const { error } = symbol;
  const ofSample = roundUp(gramSlack(cols) * square + 2 * error * Math.sqrt(square) + error * error, 8);
  const size = samples[0]!.gram.size;
  const [sumRe, sumIm] = [new Float64Array(rowAt(size)), new Float64Array(rowAt(size))];
  const interpolated = counts.some((count, axis) => count !== periods[axis]);

  const frequencies = halfOf(periods).map(({ frequency: [f, g], copies }) => {
    const [h, w] = [weightsOf(f, periods[0], counts[0]), weightsOf(g, periods[1], counts[1])];
    const weights = samples.map(({ frequency: [j, k], copies: both }): readonly [re: number, im: number] => {
      const own = h[j]! * w[k]!;
      const mirror = both === 1 ? 0 : h[(counts[0] - j) % counts[0]]! * w[(counts[1] - k) % counts[1]]!;
      return [own + mirror, copies === 1 ? 0 : own - mirror];
    });
    // Weights are off by 21 units, and the sum has as many terms as there are points.
    const slack = roundUp(magnitude(h) * magnitude(w), 64) * ofSample + (interpolated ? (32 * counts[0] * counts[1] + 64) * UNIT * square : 0);
    return { weights, real: copies === 1, error: roundUp(slack, 8), trace: samples.reduce((sum, { trace }, i) => sum + weights[i]![0] * trace, 0) };
  });
  frequencies.sort((a, b) => b.trace - a.trace);

  const add = (to: Float64Array, from: Float64Array | undefined, weight: number): void => {
    if (from !== undefined && weight !== 0) for (let k = 0; k < to.length; k++) to[k] = to[k]! + weight * from[k]!;
  };
  return {
    count: frequencies.length,
    at: (index) => {
      const { weights, real, error: slack } = frequencies[index]!;
      sumRe.fill(0);
      sumIm.fill(0);
      weights.forEach(([re, im], i) => {
        add(sumRe, samples[i]!.gram.re, re);
        add(sumIm, samples[i]!.gram.im, im);
      });
      return { matrix: { size, re: sumRe, ...(real ? {} : { im: sumIm }) }, error: slack };
    },
  };
}
