import type { Bounds, OperatorNorm } from '@moe/core';
import { expectArgument, expectKnownKeys, expectOneOf } from '@moe/core';
import { type KernelInput, type VectorInput, readKernel, readVector } from '../internal/arrays.js';
import { NORMS } from '../internal/bounds.js';
import { type Gain, linearGain } from '../internal/gain.js';
import { UNIT } from '../internal/rounding.js';
import { dualNorm } from '../internal/vectors.js';
import type { RouterScores } from './router-scores.js';

/** Options of {@link affineScores}. */
export interface AffineScoresOptions {
  /** `[in, E]`; fold a temperature and an input normalisation into it. */
  readonly kernel: KernelInput;
  /** `[E]`. @defaultValue zeros */
  readonly bias?: VectorInput;
  /** The input, `[in]`. */
  readonly input: VectorInput;
  /** Norm of perturbations. @defaultValue 'L2' */
  readonly norm?: OperatorNorm;
  /** Values that a perturbed input may have; it makes radii larger. */
  readonly box?: Bounds;
}

interface Difference {
  /** Score of one less score of other at the input, rounded down and up. */
  readonly low: number;
  readonly high: number;
  readonly gain: Gain;
  readonly slope: number;
}

/**
 * Scores `x ↦ x W + b` around one input: exact.
 *
 * @remarks
 * The difference of two scores is linear, so how far a ball can move it is a dual norm, and in a box a sorted sum (Linf, L1) or a water level (L2). Class logits of a linear
 * model are scores too: their {@link routeRadius} with `topK: 1` is the exact distance to the decision boundary.
 *
 * @throws {@link ShapeError} or {@link ArgumentError} if sizes disagree or the input lies outside the box.
 *
 * @example
 * const scores = affineScores({ kernel: router, input: image, norm: 'Linf', box: [0, 1] });
 * routeRadius(scores, { name: 'moe', numExperts: 8, topK: 2, batchInvariant: true }).radius;
 */
export function affineScores(options: AffineScoresOptions): RouterScores {
  const caller = 'affineScores';
  expectKnownKeys(caller, options, ['kernel', 'bias', 'input', 'norm', 'box']);
  const { norm = 'L2', box } = options;
  expectOneOf(caller, 'norm', norm, NORMS);
  const { shape, values } = readKernel(caller, options.kernel, ['in', 'experts']);
  const [inputs, experts] = shape as [number, number];
  const input = readVector(caller, 'input', options.input);
  expectArgument(caller, 'input', input.length === inputs, `have ${inputs} entries, one a row of the kernel`, input.length);
  const bias = options.bias === undefined ? new Float64Array(experts) : readVector(caller, 'bias', options.bias);
  expectArgument(caller, 'bias', bias.length === experts, `have ${experts} entries, one a column of the kernel`, bias.length);
  if (box !== undefined) {
    const outside = input.findIndex((value) => value < box[0] || value > box[1]);
    expectArgument(caller, `input[${outside}]`, outside < 0, `lie in the box [${box[0]}, ${box[1]}]`, input[outside]);
  }

  const column = (e: number): Float64Array => Float64Array.from({ length: inputs }, (_, d) => values[d * experts + e]!);
  const columns = Array.from({ length: experts }, (_, e) => column(e));
  const kept = new Map<number, Difference>();
  function difference(one: number, other: number): Difference {
    const key = one * experts + other;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const [a, b] = [columns[one]!, columns[other]!];
    const rise = a.map((value, d) => b[d]! - value);
    let value = bias[one]! - bias[other]!;
    let size = Math.abs(bias[one]!) + Math.abs(bias[other]!);
    for (let d = 0; d < inputs; d++) {
      value -= rise[d]! * input[d]!;
      size += (Math.abs(a[d]!) + Math.abs(b[d]!)) * Math.abs(input[d]!);
    }
    const error = (inputs + 8) * UNIT * size;
    const caps = box && rise.map((slope, d) => (slope > 0 ? box[1] - input[d]! : input[d]! - box[0]));
    const made = { low: value - error, high: value + error, gain: linearGain(rise, norm, caps), slope: dualNorm(rise, norm) };
    kept.set(key, made);
    return made;
  }
  return {
    gateLogits: Float64Array.from(columns, (weights, e) => weights.reduce((sum, weight, d) => sum + weight * input[d]!, bias[e]!)),
    norm,
    exact: true,
    limit: Infinity,
    slope: (one, other) => difference(one, other).slope,
    largestGap: (one, other, radius) => {
      const { low, gain } = difference(one, other);
      const rise = gain.at(radius);
      const gap = rise - low;
      return gap + 2 * UNIT * (rise + Math.abs(low));
    },
    distance: (one, other) => {
      const { low, gain } = difference(one, other);
      return low > 0 ? gain.reach(low) : 0;
    },
  };
}
