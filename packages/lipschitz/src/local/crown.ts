import { expectArgument, expectInteger, expectKnownKeys } from '@moe/core';
import { frobeniusNorm } from '../internal/gram.js';
import { UNIT } from '../internal/rounding.js';
import type { Graph } from '../network/graph.js';
import type { NetworkNode } from '../network/nodes.js';
import { type Box, type LocalDomain, type Region, localGraph, regionOf } from './domain.js';
import { type Lines, linesOf } from './elementwise.js';
import { affineError, magnitudeOf, stepBox } from './interval.js';

export interface CrownOptions {
  /** Bounds `logit of this class − every other logit` instead of the outputs; entry by class, 0 for the class itself. */
  readonly margin?: number;
}

/** Rows of coefficients of one value. */
type Rows = Float64Array[];

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

const dotMagnitudes = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]!) * b[i]!;
  return sum;
};

/** Smallest value of `row · x` over the region, rounded down. */
function smallest(row: Float64Array, { center, radius, norm, lower, upper }: Region): number {
  let box = 0;
  for (let i = 0; i < row.length; i++) box += row[i]! * (row[i]! > 0 ? lower[i]! : upper[i]!);
  const slack = (row.length + 8) * UNIT * dotMagnitudes(row, magnitudeOf({ lower, upper }));
  if (norm === 'Linf') return box - slack;
  const dual = norm === 'L2' ? frobeniusNorm(row) : row.reduce((best, value) => Math.max(best, Math.abs(value)), 0);
  const ball = dot(row, center) - radius * dual * (1 + 8 * UNIT);
  return Math.max(box, ball) - slack;
}

/** Bounds that the linear pass needs of what it walks through. */
interface Known {
  readonly boxes: readonly Box[];
  readonly lines: ReadonlyMap<number, readonly Lines[]>;
}

/**
 * Lower bounds of `rows · value` over the region: lines are put in the place of activations, from the value back to the input.
 *
 * @remarks
 * Rounding of coefficients at one step changes the result by at most itself times the magnitude of what they multiply, which the boxes bound; so it is taken off there and
 * then, and nothing has to be carried along.
 */
function lowerBounds({ steps, sizes }: Graph, value: number, rows: Rows, region: Region, { boxes, lines }: Known): Float64Array {
  const totals = new Float64Array(rows.length);
  const pending = new Map<number, Rows>([[value, rows]]);
  const add = (to: number, more: Rows): void => {
    const there = pending.get(to);
    pending.set(to, there === undefined ? more : there.map((row, r) => row.map((each, i) => each + more[r]![i]!)));
  };
  for (let at = value; at > 0; at--) {
    const coefficients = pending.get(at);
    if (coefficients === undefined) continue;
    pending.delete(at);
    const step = steps[at - 1]!;
    const own = magnitudeOf(boxes[at]!);
    if (step.kind === 'sum') {
      for (const input of step.inputs) add(input, coefficients.map((row) => row.slice()));
      coefficients.forEach((row, r) => (totals[r] = totals[r]! - 8 * UNIT * dotMagnitudes(row, own)));
      continue;
    }
    const inner = magnitudeOf(boxes[step.input]!);
    if (step.kind === 'affine') {
      const bias = Float64Array.from({ length: sizes[at]! }, (_, i) => step.bias![i % step.bias!.length]!);
      const size = step.absolute.apply(inner).map((each, i) => each * (1 + affineError(step)) + Math.abs(bias[i]!));
      const slack = affineError(step) + (bias.length + 8) * UNIT;
      coefficients.forEach((row, r) => (totals[r] = totals[r]! + dot(row, bias) - slack * dotMagnitudes(row, size)));
      add(step.input, coefficients.map((row) => step.map.applyTransposed(row)));
      continue;
    }
    const enclosing = lines.get(at)!;
    const sizeOf = enclosing.map(({ lowSlope, highSlope, lowOffset, highOffset }, i) => Math.max(Math.abs(lowSlope), Math.abs(highSlope)) * inner[i]! + Math.max(Math.abs(lowOffset), Math.abs(highOffset)));
    add(
      step.input,
      coefficients.map((row, r) => {
        let [offset, slack] = [0, 0];
        const back = row.map((each, i) => {
          const { lowSlope, lowOffset, highSlope, highOffset } = enclosing[i]!;
          offset += each * (each > 0 ? lowOffset : highOffset);
          slack += Math.abs(each) * sizeOf[i]!;
          return each * (each > 0 ? lowSlope : highSlope);
        });
        totals[r] = totals[r]! + offset - (row.length + 16) * UNIT * slack;
        return back;
      }),
    );
  }
  const rest = pending.get(0);
  return totals.map((total, r) => {
    const end = total + (rest === undefined ? 0 : smallest(rest[r]!, region));
    return end - 4 * (steps.length + 2) * UNIT * (Math.abs(total) + Math.abs(end));
  });
}

const unitRows = (size: number, indices: readonly number[], sign: 1 | -1): Rows =>
  indices.map((i) => {
    const row = new Float64Array(size);
    row[i] = sign;
    return row;
  });

/** The box of a value where interval bounds leave room, narrowed by linear ones. */
function narrowed(graph: Graph, value: number, region: Region, known: Known, which: readonly number[]): Box {
  const box = known.boxes[value]!;
  const [lower, upper] = [box.lower.slice(), box.upper.slice()];
  const size = graph.sizes[value]!;
  const low = lowerBounds(graph, value, unitRows(size, which, 1), region, known);
  const high = lowerBounds(graph, value, unitRows(size, which, -1), region, known);
  which.forEach((i, k) => {
    lower[i] = Math.max(lower[i]!, low[k]!);
    upper[i] = Math.min(upper[i]!, -high[k]!);
  });
  return { lower, upper };
}

/** Boxes of all values and lines of all activations, each layer's from those before it. */
export function crownForward(caller: string, graph: Graph, region: Region): Known {
  const boxes: Box[] = [region];
  const lines = new Map<number, readonly Lines[]>();
  graph.steps.forEach((step, k) => {
    if (step.kind === 'elementwise') {
      const { lower, upper } = boxes[step.input]!;
      const straight = (i: number): boolean => step.activation === 'relu' && (lower[i]! >= 0 || upper[i]! <= 0);
      const open = Array.from(lower.keys()).filter((i) => !straight(i));
      if (open.length > 0 && step.input > 0) boxes[step.input] = narrowed(graph, step.input, region, { boxes, lines }, open);
      const box = boxes[step.input]!;
      lines.set(k + 1, Array.from(box.lower, (low, i) => linesOf(caller, step, low, box.upper[i]!)));
    }
    boxes.push(stepBox(caller, step, boxes));
  });
  return { boxes, lines };
}

/**
 * Lower and upper bounds of every output, or of every margin, on a ball, by linear relaxation ("CROWN", "DeepPoly").
 *
 * @remarks
 * Encloses each activation between two lines on the interval that its input can reach, and walks back to the input, where the smallest value on a ball is known. The
 * intervals themselves come the same way, layer by layer, and are never wider than those of {@link intervalBounds}. Float64; rounding is taken off at every step. For
 * certificates prefer `margin`: if all other classes stay positive, no input of the domain changes the class.
 *
 * Cost: one backward pass for every unit whose activation is not settled; for multilayer perceptrons and small convolutional networks.
 *
 * @param network - description with biases; end it before a softmax.
 * @param domain  - see {@link LocalDomain}; the dual norm is used for L2 and L1.
 * @returns Lower and upper bounds by output, or by the class that `margin` is compared with.
 * @throws {@link ArgumentError} that names a layer of which only constants are known, or its bias is not.
 * @see {@link https://arxiv.org/abs/1811.00866 | Zhang et al. 2018}; {@link https://doi.org/10.1145/3290354 | Singh et al. 2019}.
 *
 * @example
 * const { lower } = crownBounds(network, { center: image, radius: 2 / 255, bounds: [0, 1] }, { margin: label });
 * const certified = lower.every((margin, c) => c === label || margin > 0);
 */
export function crownBounds(network: NetworkNode, domain: LocalDomain, options: CrownOptions = {}): Box {
  expectKnownKeys('crownBounds', options, ['margin']);
  const region = regionOf('crownBounds', domain);
  const graph = localGraph('crownBounds', network, region);
  const outputs = graph.sizes[graph.output]!;
  const { margin } = options;
  if (margin !== undefined) expectInteger('crownBounds', 'margin', margin, 0, outputs - 1);
  expectArgument('crownBounds', 'network', graph.steps.length > 0, 'have a layer', 'none');
  const known = crownForward('crownBounds', graph, region);
  const all = Array.from({ length: outputs }, (_, i) => i);
  if (margin === undefined) return narrowed(graph, graph.output, region, known, all);
  const rows = (sign: 1 | -1): Rows =>
    all.map((other) => {
      const row = new Float64Array(outputs);
      row[margin] = sign;
      row[other] = row[other]! - sign;
      return row;
    });
  const { lower, upper } = known.boxes[graph.output]!;
  // No looser than what intervals say of the two outputs apart.
  const low = lowerBounds(graph, graph.output, rows(1), region, known).map((value, other) => Math.max(value, lower[margin]! - upper[other]! - 2 * UNIT * (Math.abs(lower[margin]!) + Math.abs(upper[other]!))));
  const high = lowerBounds(graph, graph.output, rows(-1), region, known).map((value, other) => Math.min(-value, upper[margin]! - lower[other]! + 2 * UNIT * (Math.abs(upper[margin]!) + Math.abs(lower[other]!))));
  [low[margin], high[margin]] = [0, 0];
  return { lower: low, upper: high };
}
