import { UNIT } from '../internal/rounding.js';
import type { AffineStep, Graph, Step } from '../network/graph.js';
import type { NetworkNode } from '../network/nodes.js';
import { type Box, type LocalDomain, localGraph, regionOf } from './domain.js';
import { valueRange } from './elementwise.js';

/** Relative error of an affine step: of a sum of that many products, twice. */
export const affineError = ({ map }: AffineStep): number => 2 * (map.terms + 8) * UNIT;

/** Largest magnitude of every entry of a box. */
export const magnitudeOf = ({ lower, upper }: Box): Float64Array => lower.map((low, i) => Math.max(Math.abs(low), Math.abs(upper[i]!)));

function affineBox(step: AffineStep, { lower, upper }: Box): Box {
  const { map, absolute } = step;
  const bias = step.bias!;
  const slack = affineError(step);
  const center = lower.map((low, i) => low / 2 + upper[i]! / 2);
  const radius = lower.map((low, i) => Math.max(upper[i]! - center[i]!, center[i]! - low) * (1 + 4 * UNIT));
  const middle = map.apply(center).map((value, i) => value + bias[i % bias.length]!);
  // The rounding of the middle is at most `slack` of the sum of magnitudes.
  const spread = absolute.apply(radius.map((r, i) => r * (1 + slack) + slack * Math.abs(center[i]!)));
  const reach = spread.map((r, i) => r * (1 + slack) + 8 * UNIT * (Math.abs(middle[i]!) + Math.abs(bias[i % bias.length]!)));
  return { lower: middle.map((value, i) => value - reach[i]!), upper: middle.map((value, i) => value + reach[i]!) };
}

/** The box of a step's output. */
export function stepBox(caller: string, step: Step, boxes: readonly Box[]): Box {
  if (step.kind === 'sum') {
    const [a, b] = [boxes[step.inputs[0]]!, boxes[step.inputs[1]]!];
    const away = (x: number, y: number): number => 2 * UNIT * (Math.abs(x) + Math.abs(y));
    return {
      lower: a.lower.map((x, i) => x + b.lower[i]! - away(x, b.lower[i]!)),
      upper: a.upper.map((x, i) => x + b.upper[i]! + away(x, b.upper[i]!)),
    };
  }
  const box = boxes[step.input]!;
  if (step.kind === 'affine') return affineBox(step, box);
  const ranges = Array.from(box.lower, (low, i) => valueRange(caller, step, low, box.upper[i]!));
  return { lower: Float64Array.from(ranges, ([low]) => low), upper: Float64Array.from(ranges, ([, high]) => high) };
}

/** Boxes of all values, the input's first. */
export function intervalBoxes(caller: string, { steps }: Graph, input: Box): Box[] {
  const boxes = [input];
  for (const step of steps) boxes.push(stepBox(caller, step, boxes));
  return boxes;
}

/**
 * Lower and upper bounds of every output on a ball, by interval arithmetic ("IBP").
 *
 * @remarks
 * `c' = W c + b`, `r' = |W| r`, monotone activations at the ends; a ball in L2 or L1 is taken for the box around it. Float64, rounded outward. Costs two forward passes;
 * for deep networks {@link crownBounds} is much tighter.
 *
 * @param network - description with biases; end it before a softmax.
 * @param domain  - see {@link LocalDomain}.
 * @throws {@link ArgumentError} that names a layer of which only constants are known, or its bias is not.
 * @see {@link https://arxiv.org/abs/1810.12715 | Gowal et al. 2018}.
 *
 * @example
 * const { lower, upper } = intervalBounds(network, { center: image, radius: 2 / 255, bounds: [0, 1] });
 */
export function intervalBounds(network: NetworkNode, domain: LocalDomain): Box {
  const region = regionOf('intervalBounds', domain);
  const graph = localGraph('intervalBounds', network, region);
  const { lower, upper } = intervalBoxes('intervalBounds', graph, region)[graph.output]!;
  return { lower, upper };
}
