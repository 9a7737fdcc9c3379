import { expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import type { Schedule, ScheduleResolution } from './schedule.js';

/** Options of {@link cosine}. */
export interface CosineOptions extends ScheduleResolution {
  /** Learning rate after the warm-up. */
  readonly base: number;
  /** Learning rate that the curve ends at. @defaultValue 0 */
  readonly min?: number;
  /** Epochs of linear warm-up from `base / 100`. @defaultValue 0 */
  readonly warmupEpochs?: number;
  /**
   * Reproduces the code released with *Robust Experts*, where warm-up W and cosine run at the same time and the cosine has period `T − W`, so that the rate
   * rises again in the last W epochs. @defaultValue false
   */
  readonly legacy?: boolean;
}

const WARMUP_START = 0.01; // start factor of the released code

/**
 * Linear warm-up, then half a cosine: `min + (base − min)(1 + cos(π(e − W)/(T − W)))/2`.
 *
 * @throws {@link ArgumentError} if a number is out of range.
 * @see {@link https://arxiv.org/abs/1608.03983 | Loshchilov & Hutter 2017}, without restarts.
 *
 * @example
 * cosine({ base: 0.1, warmupEpochs: 5 }).rate(5, 100); // 0.1
 */
export function cosine(options: CosineOptions): Schedule<Required<CosineOptions>> {
  expectKnownKeys('cosine', options, ['base', 'min', 'warmupEpochs', 'per', 'legacy']);
  const { base, min = 0, warmupEpochs = 0, per = 'epoch', legacy = false } = options;
  expectNumber('cosine', 'base', base, 0);
  expectNumber('cosine', 'min', min, 0, base);
  expectNumber('cosine', 'warmupEpochs', warmupEpochs, 0);
  expectOneOf('cosine', 'per', per, ['epoch', 'step']);
  const curve = (share: number): number => min + ((base - min) * (1 + Math.cos(Math.PI * share))) / 2;
  return {
    name: 'cosine',
    options: { base, min, warmupEpochs, per, legacy },
    rate(position, epochs) {
      const e = per === 'epoch' ? Math.floor(position) : position;
      const warmup = e < warmupEpochs ? WARMUP_START + (1 - WARMUP_START) * (e / warmupEpochs) : 1;
      if (legacy) return warmup * curve(e / (epochs - warmupEpochs));
      return e < warmupEpochs ? warmup * base : curve((e - warmupEpochs) / (epochs - warmupEpochs));
    },
  };
}
