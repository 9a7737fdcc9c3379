import type { BoundDomain, BoundStatus, OperatorNorm, SoundBound } from '@moe/core';
import { expectArgument, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { type KernelInput, type VectorInput, readKernel, readVector } from '../internal/arrays.js';
import { NORMS } from '../internal/bounds.js';
import { denseNorm } from '../internal/dense-norms.js';
import { UNIT, roundUp } from '../internal/rounding.js';
import { commonDomain, expectSound, times } from '../internal/sound.js';
import { pairs, vectorNorm } from '../internal/vectors.js';

/**
 * How far the outputs of two experts can be apart for one input: a length, not a slope.
 *
 * @remarks
 * `upper` is never below `sup max ‖fᵢ(x) − fⱼ(x)‖` on the domain. Experts that put out probabilities, for instance, are never further apart than √2 in L2, 1 in Linf, 2 in L1.
 */
export interface Disagreement<Status extends BoundStatus = BoundStatus> {
  readonly kind: 'disagreement';
  readonly value: number;
  readonly status: Status;
  /** Norm of outputs, and of the ball of the domain. */
  readonly norm: OperatorNorm;
  readonly domain: BoundDomain;
  readonly method: string;
}

/** The only disagreement that may enter a bound. */
export type SoundDisagreement = Disagreement<'exact' | 'upper'>;

/** Checks expert outputs `[E][M]`. */
export function readOutputs(caller: string, outputs: readonly VectorInput[], experts: number): Float64Array[] {
  expectArgument(caller, 'outputs', outputs.length === experts, `have ${experts} entries, one an expert`, outputs.length);
  const read = outputs.map((output, e) => readVector(caller, `outputs[${e}]`, output));
  const other = read.findIndex(({ length }) => length !== read[0]!.length);
  expectArgument(caller, `outputs[${other}]`, other < 0, `have ${read[0]?.length} entries, as the first`, read[other]?.length);
  return read;
}

/** Length of a difference, with its rounding. */
export const apart = (a: Float64Array, b: Float64Array, norm: OperatorNorm): number =>
  roundUp(vectorNorm(Float64Array.from(a, (value, m) => value - b[m]!), norm), 2);

/**
 * Disagreement of any experts in a ball: what they disagree by at its centre, plus what both can move.
 *
 * @param options - `outputs` `[E][M]` of every expert at the input; `experts`, a sound bound of each; `radius` of the ball.
 */
export function localDisagreement(options: { readonly outputs: readonly VectorInput[]; readonly experts: readonly SoundBound[]; readonly radius: number }): Disagreement<'upper'> {
  const caller = 'localDisagreement';
  expectKnownKeys(caller, options, ['outputs', 'experts', 'radius']);
  const { experts, radius } = options;
  expectNumber(caller, 'radius', radius, 0);
  const norm = expectExperts(caller, experts, radius);
  const outputs = readOutputs(caller, options.outputs, experts.length);
  const value = pairs(experts.length).reduce((largest, [i, j]) => {
    const moved = times(radius, experts[i]!.value + experts[j]!.value);
    return Math.max(largest, roundUp(apart(outputs[i]!, outputs[j]!, norm) + moved, 3));
  }, 0);
  return { kind: 'disagreement', value, status: 'upper', norm, domain: { norm, radius }, method: 'centre-and-slopes' };
}

/** Checks bounds of experts that must hold in a ball; gives their norm. */
export function expectExperts(caller: string, experts: readonly SoundBound[], radius = 0): OperatorNorm {
  expectArgument(caller, 'experts', experts.length > 0, 'have at least one expert', experts.length);
  const { norm } = experts[0]!;
  experts.forEach((bound, e) => expectSound(caller, `experts[${e}]`, bound, norm));
  const domain = commonDomain(experts);
  expectArgument(caller, 'radius', domain === 'global' || radius <= domain.radius, 'lie within the balls of the experts', radius);
  return norm;
}

/** An expert `x ↦ x W + b`. */
export interface AffineExpert {
  /** `[in, M]` */
  readonly kernel: KernelInput;
  /** `[M]` @defaultValue zeros */
  readonly bias?: VectorInput;
}

/**
 * Disagreement of affine experts in a ball: `max ‖x (Wᵢ − Wⱼ) + bᵢ − bⱼ‖ + r ‖Wᵢ − Wⱼ‖`.
 *
 * @remarks
 * Tighter than {@link localDisagreement}, since both experts see the same input: nothing moves that they have in common.
 *
 * @param options - `experts`; the `input` at the centre; `radius`, ∞ excluded; `norm` of input and output. @defaultValue norm 'L2'
 */
export function affineDisagreement(options: { readonly experts: readonly AffineExpert[]; readonly input: VectorInput; readonly radius: number; readonly norm?: OperatorNorm }): Disagreement<'upper'> {
  const caller = 'affineDisagreement';
  expectKnownKeys(caller, options, ['experts', 'input', 'radius', 'norm']);
  const { radius, norm = 'L2' } = options;
  expectOneOf(caller, 'norm', norm, NORMS);
  expectNumber(caller, 'radius', radius, 0);
  const input = readVector(caller, 'input', options.input);
  const experts = options.experts.map(({ kernel, bias }) => {
    const { shape, values } = readKernel(caller, kernel, ['in', 'out']);
    expectArgument(caller, 'kernel', shape[0] === input.length, `have ${input.length} rows, one an input`, shape[0]);
    return { shape, values, bias: bias === undefined ? new Float64Array(shape[1]!) : readVector(caller, 'bias', bias) };
  });
  expectArgument(caller, 'experts', experts.length > 0 && experts.every(({ shape, bias }) => shape[1] === experts[0]!.shape[1] && bias.length === shape[1]), 'have outputs of one size', experts.map(({ shape }) => shape[1]));
  const value = pairs(experts.length).reduce((largest, [i, j]) => {
    const [a, b] = [experts[i]!, experts[j]!];
    const kernel = { shape: a.shape, values: a.values.map((entry, k) => entry - b.values[k]!) };
    const outputs = a.shape[1]!;
    const centre = Float64Array.from(a.bias, (entry, m) => entry - b.bias[m]!);
    const size = Float64Array.from(a.bias, (entry, m) => Math.abs(entry) + Math.abs(b.bias[m]!));
    kernel.values.forEach((entry, k) => {
      const [d, m] = [Math.floor(k / outputs), k % outputs];
      centre[m] = centre[m]! + entry * input[d]!;
      size[m] = size[m]! + (Math.abs(a.values[k]!) + Math.abs(b.values[k]!)) * Math.abs(input[d]!);
    });
    const rounding = roundUp((input.length + 8) * UNIT * vectorNorm(size, norm), input.length);
    return Math.max(largest, roundUp(vectorNorm(centre, norm) + rounding + times(radius, denseNorm(kernel, norm).value), 4));
  }, 0);
  return { kind: 'disagreement', value, status: 'upper', norm, domain: { norm, radius }, method: 'affine' };
}
