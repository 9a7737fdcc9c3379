import type { Bound, OperatorNorm } from '@moe/core';
import { expectArgument, expectKnownKeys, expectOneOf } from '@moe/core';
import { NORMS } from '../internal/bounds.js';
import { denseNorm } from '../internal/dense-norms.js';
import { UNIT, roundUp } from '../internal/rounding.js';
import type { Graph } from '../network/graph.js';
import type { NetworkNode } from '../network/nodes.js';
import { crownForward } from './crown.js';
import { type Box, type LocalDomain, localGraph, regionOf } from './domain.js';
import { slopeRange } from './elementwise.js';
import { affineError, intervalBoxes } from './interval.js';

export interface JacobianOptions {
  /** Norm of input and output. @defaultValue that of the domain */
  readonly norm?: OperatorNorm;
  /** Bounds the slope of `output a − output b` alone: the dual norm of its gradient. */
  readonly difference?: readonly [a: number, b: number];
  /** How the reach of activations is bounded: linear relaxation is tighter and costs more. @defaultValue 'crown' */
  readonly intermediate?: 'crown' | 'interval';
}

function product(a: number, b: number, c: number, d: number): readonly [number, number] {
  const [p, q, r, s] = [a * c, a * d, b * c, b * d];
  return [Math.min(p, q, r, s), Math.max(p, q, r, s)];
}

/** Intervals of `row · ∂output/∂input`, from the output back. */
function jacobianRow(caller: string, { steps, sizes, output }: Graph, boxes: readonly Box[], row: Float64Array): Box {
  const pending = new Map<number, Box>([[output, { lower: row, upper: row }]]);
  const add = (to: number, more: Box): void => {
    const there = pending.get(to);
    const sum = (x: Float64Array, y: Float64Array, sign: 1 | -1): Float64Array => x.map((each, i) => each + y[i]! + sign * 2 * UNIT * (Math.abs(each) + Math.abs(y[i]!)));
    pending.set(to, there === undefined ? more : { lower: sum(there.lower, more.lower, -1), upper: sum(there.upper, more.upper, 1) });
  };
  for (let at = output; at > 0; at--) {
    const here = pending.get(at);
    if (here === undefined) continue;
    pending.delete(at);
    const step = steps[at - 1]!;
    if (step.kind === 'sum') for (const input of step.inputs) add(input, here);
    else if (step.kind === 'affine') {
      const slack = affineError(step);
      const center = here.lower.map((low, i) => low / 2 + here.upper[i]! / 2);
      const radius = here.lower.map((low, i) => Math.max(here.upper[i]! - center[i]!, center[i]! - low) * (1 + 4 * UNIT));
      const middle = step.map.applyTransposed(center);
      const spread = step.absolute.applyTransposed(radius.map((r, i) => r * (1 + slack) + slack * Math.abs(center[i]!)));
      const reach = spread.map((r, i) => r * (1 + slack) + 8 * UNIT * Math.abs(middle[i]!));
      add(step.input, { lower: middle.map((value, i) => value - reach[i]!), upper: middle.map((value, i) => value + reach[i]!) });
    } else {
      const input = boxes[step.input]!;
      const ends = Array.from(here.lower, (low, i) => {
        const [flat, steep] = slopeRange(caller, step, input.lower[i]!, input.upper[i]!);
        const [least, most] = product(low, here.upper[i]!, flat, steep);
        return [least - 2 * UNIT * Math.abs(least), most + 2 * UNIT * Math.abs(most)] as const;
      });
      add(step.input, { lower: Float64Array.from(ends, ([low]) => low), upper: Float64Array.from(ends, ([, high]) => high) });
    }
  }
  return pending.get(0) ?? { lower: new Float64Array(sizes[0]!), upper: new Float64Array(sizes[0]!) };
}

/** Largest norm of a matrix in an interval, rows for outputs. */
function largestNorm(rows: readonly Box[], inputs: number, norm: OperatorNorm): number {
  const flat = (pick: (low: number, high: number) => number): Float64Array =>
    Float64Array.from({ length: rows.length * inputs }, (_, k) => pick(rows[Math.floor(k / inputs)]!.lower[k % inputs]!, rows[Math.floor(k / inputs)]!.upper[k % inputs]!));
  const largest = flat((low, high) => Math.max(Math.abs(low), Math.abs(high)));
  // As kernels `[in, out]` of the transposed map: rows and columns change places.
  const of = (values: Float64Array, of2: OperatorNorm): number => denseNorm({ shape: [rows.length, inputs], values }, of2).value;
  if (norm !== 'L2') return of(largest, norm === 'Linf' ? 'L1' : 'Linf');
  const center = flat((low, high) => low / 2 + high / 2);
  const radius = flat((low, high) => roundUp(high / 2 - low / 2, 2) + 2 * UNIT * (Math.abs(low) + Math.abs(high)));
  return Math.min(of(largest, 'L2'), roundUp(of(center, 'L2') + of(radius, 'L2'), 0));
}

/**
 * Lipschitz bound on a ball, by intervals of the Jacobian.
 *
 * @remarks
 * Bounds every activation's slope on the ball and multiplies interval matrices from the output back. At radius 0 it is the norm of the gradient (at a kink, of all one-sided
 * ones); it grows with the radius, and far out can exceed the {@link productBound | product}. With `bounds`, it holds for inputs within them.
 *
 * @param network - description with biases; end it before a softmax.
 * @param domain  - see {@link LocalDomain}.
 * @param options - see {@link JacobianOptions}.
 * @returns `'upper'`, with the ball as its domain: {@link certifiedRadius} gives no more than that ball.
 * @throws {@link ArgumentError} that names a layer of which only constants are known, or its bias is not.
 *
 * @example
 * certifiedRadius(margin, jacobianBound(network, { center: image, radius: 0.1, norm: 'L2' }));
 */
export function jacobianBound(network: NetworkNode, domain: LocalDomain, options: JacobianOptions = {}): Bound<'upper'> {
  expectKnownKeys('jacobianBound', options, ['norm', 'difference', 'intermediate']);
  const region = regionOf('jacobianBound', domain);
  const { norm = region.norm, difference, intermediate = 'crown' } = options;
  expectOneOf('jacobianBound', 'norm', norm, NORMS);
  expectOneOf('jacobianBound', 'intermediate', intermediate, ['crown', 'interval']);
  const graph = localGraph('jacobianBound', network, region);
  const boxes = intermediate === 'crown' ? crownForward('jacobianBound', graph, region).boxes : intervalBoxes('jacobianBound', graph, region);
  const outputs = graph.sizes[graph.output]!;
  const row = (entries: Readonly<Record<number, number>>): Float64Array => Float64Array.from({ length: outputs }, (_, i) => entries[i] ?? 0);
  if (difference !== undefined) {
    const known = difference.every((index) => Number.isInteger(index) && index >= 0 && index < outputs) && difference[0] !== difference[1];
    expectArgument('jacobianBound', 'difference', known, `name two of ${outputs} outputs`, [...difference]);
  }
  const heads = difference === undefined ? Array.from({ length: outputs }, (_, i) => row({ [i]: 1 })) : [row({ [difference[0]]: 1, [difference[1]]: -1 })];
  const rows = heads.map((head) => jacobianRow('jacobianBound', graph, boxes, head));
  const value = largestNorm(rows, region.center.length, norm);
  return { value, status: 'upper', norm, domain: { norm: region.norm, radius: region.radius }, method: `interval-jacobian(${intermediate})` };
}
