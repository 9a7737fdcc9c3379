import type { OperatorNorm, SoundBound } from '@moe/core';
import { moderate } from './arrays.js';
import { globalBound } from './bounds.js';
import { type ConvOperator, tapSets } from './conv-geometry.js';
import { type ConvSymbol, convSymbol, halfOf } from './conv-symbol.js';
import { type GramState, frobeniusNorm, gramBound, startGram, stepGram } from './gram.js';
import { provedLimit } from './matrix/proved-norm.js';
import { symbolGrams } from './matrix/symbol-grams.js';
import { roundUp } from './rounding.js';

/** By Gram iteration, best first: only the frequency with the largest bound so far is squared again, until the largest has all its squarings. The others have bounds below it. */
function iteratedNorm(symbol: ConvSymbol, iterations: number): number {
  const frequencies = halfOf(symbol.periods);
  const bounds = frequencies.map(({ frequency }) => {
    const { re, im } = symbol.at(frequency);
    return frobeniusNorm(re, im);
  });
  const states = new Map<number, GramState>();
  for (;;) {
    const top = bounds.reduce((best, bound, i) => (bound > bounds[best]! ? i : best), 0);
    const state = states.get(top) ?? startGram(symbol.at(frequencies[top]!.frequency));
    if (state.slacks.length === iterations) return roundUp(bounds[top]! + symbol.error, 1);
    const next = stepGram(state);
    states.set(top, next);
    bounds[top] = gramBound(next);
  }
}

/** By factorisations of the Gram matrices of all frequencies. */
function provedNorm(symbol: ConvSymbol): number {
  const { count, at } = symbolGrams(symbol);
  return roundUp(Math.sqrt(provedLimit(count, at)), 1);
}

/** Largest sum of |K| over the taps that one output reads (`'Linf'`) or one input feeds (`'L1'`). */
function absoluteSums({ kernel: { shape, values }, height, width }: ConvOperator, norm: 'Linf' | 'L1'): number {
  const [, kw, cin, cout] = shape as [number, number, number, number];
  const of = norm === 'Linf' ? 'output' : 'input';
  let largest = 0;
  for (const rows of tapSets(height, of)) {
    for (const columns of tapSets(width, of)) {
      const sums = new Float64Array(norm === 'Linf' ? cout : cin);
      for (const a of rows) {
        for (const b of columns) {
          for (let i = 0, k = (a * kw + b) * cin * cout; i < cin; i++) {
            for (let o = 0; o < cout; o++, k++) {
              const index = norm === 'Linf' ? o : i;
              sums[index] = sums[index]! + Math.abs(values[k]!);
            }
          }
        }
      }
      for (const sum of sums) largest = Math.max(largest, sum);
    }
  }
  return roundUp(largest, values.length + 8);
}

/** Bound of a convolution of one image size. */
export function convNorm(operator: ConvOperator, norm: OperatorNorm, iterations?: number): SoundBound {
  if (norm !== 'L2') return globalBound(absoluteSums(operator, norm), 'exact', norm, 'absolute-sums');
  const { kernel, unit } = moderate(operator.kernel);
  const symbol = convSymbol({ ...operator, kernel });
  if (iterations === undefined) return globalBound(roundUp(provedNorm(symbol) * unit, 1), 'upper', norm, 'polyphase-gram-cholesky');
  return globalBound(roundUp(iteratedNorm(symbol, iterations) * unit, 1), 'upper', norm, `polyphase-gram-iteration(${iterations})`);
}
