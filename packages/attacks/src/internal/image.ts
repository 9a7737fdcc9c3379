import { expectArgument } from '@moe/core';
import type { Task } from './problem.js';

/** Sizes of one example as an image `[H,W,C]`. */
export interface Image {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** @throws {@link ArgumentError} if inputs are neither `[B,H,W,C]` nor `[B,D]`, which are images of one row. */
export function imageOf({ caller, shape }: Task): Image {
  expectArgument(caller, 'inputs', shape.length === 1 || shape.length === 3, 'have shape [B,H,W,C] or [B,D]', ['B', ...shape]);
  const [height = 1, width = 1, channels = 1] = shape.length === 3 ? shape : [1, shape[0]!, 1];
  return { height, width, channels };
}
