import { type Tensor, add, mul, tidy } from '@tensorflow/tfjs-core';
import { type Weight, expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import { encodeWeights, readWeights } from './checkpoint/weights.js';

/** An exponential moving average of the trainable weights, see {@link TrainOptions.ema}. */
export interface EmaOptions {
  /** What each update leaves of the average, in [0, 1). */
  readonly decay: number;
  /** Share of the run's updates during which the average is a copy of the weights. @defaultValue 0 */
  readonly copyFor?: number;
  /** Begins with a shorter memory: the decay of the n-th update from 0 after the copying is at most `(1 + n)/(10 + n)`. @defaultValue false */
  readonly ramp?: boolean;
}

/** Checks the options; see `train` for what is thrown. */
export function expectEma(options: EmaOptions): void {
  expectKnownKeys('train', options, ['decay', 'copyFor', 'ramp']);
  const { decay, copyFor = 0, ramp = false } = options;
  expectArgument('train', 'ema.decay', decay >= 0 && decay < 1, 'lie in [0, 1)', decay);
  expectNumber('train', 'ema.copyFor', copyFor, 0, 1);
  expectArgument('train', 'ema.ramp', typeof ramp === 'boolean', 'be true or false', ramp);
}

/** What the update numbered `update`, from 0, of `updates` leaves of the average. */
export function emaDecay({ decay, copyFor = 0, ramp = false }: EmaOptions, update: number, updates: number): number {
  const n = update - Math.ceil(copyFor * updates);
  if (n < 0) return 0;
  return ramp ? Math.min(decay, (1 + n) / (10 + n)) : decay;
}

/** Moves the averages, in the map itself: `e ← decay · e + (1 − decay) · w`. */
export function moveAverages(averages: Map<string, Tensor>, weights: readonly Weight[], decay: number): void {
  for (const { name, variable } of weights) {
    const before = averages.get(name);
    if (before === undefined) continue;
    averages.set(name, tidy(() => add(mul(before, decay), mul(variable as Tensor, 1 - decay))));
    before.dispose();
  }
}

/** A model with averages in place of its weights, and its own running statistics, as bytes for `loadWeights`. */
export async function saveAveraged(weights: readonly Weight[], averages: ReadonlyMap<string, Tensor>): Promise<Uint8Array> {
  const values = await readWeights(weights);
  const tensors = await Promise.all(values.map(async (value) => ({ ...value, data: (await averages.get(value.name)?.data<'float32'>()) ?? value.data })));
  return encodeWeights(tensors);
}
