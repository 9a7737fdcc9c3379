import { expectArgument, expectInteger } from '@moe/core';
import type { Kernel } from './arrays.js';

/** `'same'` and `'valid'` as in tfjs, a number of zeros on every side, or `'circular'` for an image that repeats. */
export type ConvPadding = 'same' | 'valid' | 'circular' | number;

/** One value for both axes, or height then width. */
export type Pair = number | readonly [height: number, width: number];

/** How a convolution runs along one axis: output o reads input `stride · o + dilation · tap − before`. */
export interface ConvAxis {
  readonly taps: number;
  readonly dilation: number;
  readonly stride: number;
  readonly before: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly circular: boolean;
}

/** A convolution of one image size; kernel `[kh,kw,cin,cout]`. */
export interface ConvOperator {
  readonly kernel: Kernel;
  readonly height: ConvAxis;
  readonly width: ConvAxis;
}

export interface ConvOptions {
  /** Height and width of the input; a bound depends on them. */
  readonly inputSize: Pair;
  /** @defaultValue 1 */
  readonly strides?: Pair;
  readonly padding: ConvPadding;
  /** @defaultValue 1 */
  readonly dilations?: Pair;
}

export const CONV_OPTIONS = ['inputSize', 'strides', 'padding', 'dilations'] as const;

export const pairOf = (pair: Pair): readonly [number, number] => (typeof pair === 'number' ? [pair, pair] : pair);

function convAxis(caller: string, axis: string, taps: number, inputs: number, stride: number, dilation: number, padding: ConvPadding): ConvAxis {
  expectInteger(caller, `inputSize (${axis})`, inputs, 1);
  expectInteger(caller, `strides (${axis})`, stride, 1);
  expectInteger(caller, `dilations (${axis})`, dilation, 1);
  const reach = (taps - 1) * dilation + 1;
  const common = { taps, dilation, stride, inputs };
  if (padding === 'circular') {
    expectArgument(caller, `inputSize (${axis})`, inputs % stride === 0, `be a multiple of the stride ${stride} with circular padding`, inputs);
    expectArgument(caller, `inputSize (${axis})`, reach <= inputs, `be at least the kernel's reach ${reach} with circular padding`, inputs);
    return { ...common, before: 0, outputs: inputs / stride, circular: true };
  }
  if (padding === 'same') {
    const outputs = Math.ceil(inputs / stride);
    const total = Math.max(0, (outputs - 1) * stride + reach - inputs);
    return { ...common, before: Math.floor(total / 2), outputs, circular: false };
  }
  const before = padding === 'valid' ? 0 : padding;
  expectInteger(caller, 'padding', before, 0);
  const outputs = Math.floor((inputs + 2 * before - reach) / stride) + 1;
  expectArgument(caller, `inputSize (${axis})`, outputs >= 1, `be at least ${reach - 2 * before} for a kernel that reaches over ${reach} pixels`, inputs);
  return { ...common, before, outputs, circular: false };
}

export function convOperator(caller: string, kernel: Kernel, { inputSize, strides = 1, padding, dilations = 1 }: ConvOptions): ConvOperator {
  const isPadding = padding === 'same' || padding === 'valid' || padding === 'circular' || typeof padding === 'number';
  expectArgument(caller, 'padding', isPadding, "be 'same', 'valid', 'circular' or a number of pixels", padding);
  const [kh, kw] = kernel.shape as [number, number];
  const [size, stride, dilation] = [pairOf(inputSize), pairOf(strides), pairOf(dilations)];
  return {
    kernel,
    height: convAxis(caller, 'height', kh, size[0], stride[0], dilation[0], padding),
    width: convAxis(caller, 'width', kw, size[1], stride[1], dilation[1], padding),
  };
}

/** Every (output, tap, input) that meets on this axis. */
export function meetings({ taps, dilation, stride, before, inputs, outputs, circular }: ConvAxis): { output: number; tap: number; input: number }[] {
  const list: { output: number; tap: number; input: number }[] = [];
  for (let output = 0; output < outputs; output++) {
    for (let tap = 0; tap < taps; tap++) {
      const position = stride * output + dilation * tap - before;
      const input = circular ? position % inputs : position;
      if (input >= 0 && input < inputs) list.push({ output, tap, input });
    }
  }
  return list;
}

/** The distinct sets of taps that one output reads (`'output'`) or one input feeds (`'input'`). */
export function tapSets(axis: ConvAxis, of: 'output' | 'input'): number[][] {
  const sets = new Map<number, number[]>();
  for (const meeting of meetings(axis)) sets.set(meeting[of], [...(sets.get(meeting[of]) ?? []), meeting.tap]);
  return [...new Map([...sets.values()].map((set) => [set.join(), set])).values()];
}

/**
 * Length of the shortest ring on which the circular convolution contains this one: a multiple of the stride that leaves room for the
 * longer padding, so that what wraps around meets zeros only.
 */
export function ringLength({ taps, dilation, stride, before, inputs, outputs, circular }: ConvAxis): number {
  if (circular) return inputs;
  const last = stride * (outputs - 1) + dilation * (taps - 1) - before;
  const needed = Math.max(inputs + before, last + 1, inputs, stride * (outputs - 1) + 1);
  return Math.ceil(needed / stride) * stride;
}
