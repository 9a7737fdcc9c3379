import { type Flags, fail } from './flags.js';

/** Which images a saved model is given, and how. */
export interface InputSettings {
  /** File with the name of each output, or undefined where the folders of images are the outputs, in order. */
  readonly classes: string | undefined;
  readonly limit: number;
  readonly seed: number;
  /** What the model takes black and white for. */
  readonly range: readonly [number, number];
  /** Subtracted and divided by after that, one for all channels or one each. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly size: readonly [number, number] | undefined;
}

export const INPUT_FLAGS = ['classes', 'limit', 'seed', 'range', 'mean', 'std', 'size'] as const;

export const INPUT_HELP = `  --classes FILE    names of all outputs, one a line, where there are more than folders or in another order
  --limit N         images, drawn by the seed (default 200)
  --range=LOW,HIGH  what the model takes black and white for, such as -1,1 (default 0,1)
  --mean, --std     subtracted and divided by after that, one number or one a channel (default 0 and 1)
  --size H,W        of images, where the model does not say
  --seed N          (default 1)`;

/** @throws UsageError for a value that makes no sense. */
export function inputSettings(flags: Flags<(typeof INPUT_FLAGS)[number]>): InputSettings {
  const [low = 0, high = 1] = flags.numbers('range', '0,1', [2]);
  const [height = 0, width = 0] = flags.text('size') === undefined ? [] : flags.numbers('size', '', [2]);
  const std = flags.numbers('std', '1', [1, 3]);
  if (low >= high) fail('range', 'must rise', flags.text('range'));
  if (std.some((value) => value <= 0)) fail('std', 'must be positive', flags.text('std'));
  return {
    classes: flags.path('classes'),
    limit: flags.whole('limit', 200),
    seed: flags.whole('seed', 1),
    range: [low, high],
    mean: flags.numbers('mean', '0', [1, 3]),
    std,
    size: flags.text('size') === undefined ? undefined : [height, width],
  };
}
