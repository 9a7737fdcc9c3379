import type { OperatorNorm } from '@moe/core';
import { expectArgument, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { type VectorInput, readVector } from '../internal/arrays.js';
import { NORMS } from '../internal/bounds.js';
import { UNIT } from '../internal/rounding.js';
import { type Graph, graphOf } from '../network/graph.js';
import type { NetworkNode } from '../network/nodes.js';

/** All inputs within a distance of one input. */
export interface LocalDomain {
  /** One input, row-major without a batch axis. */
  readonly center: VectorInput;
  readonly radius: number;
  /** @defaultValue 'Linf' */
  readonly norm?: OperatorNorm;
  /** Range of every input, as of pixels; narrows the ball. */
  readonly bounds?: readonly [low: number, high: number];
}

/** Lower and upper ends, entry by entry. */
export interface Box {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

export interface Region extends Box {
  readonly center: Float64Array;
  readonly radius: number;
  readonly norm: OperatorNorm;
}

export function regionOf(caller: string, domain: LocalDomain): Region {
  expectKnownKeys(caller, domain, ['center', 'radius', 'norm', 'bounds']);
  const { radius, norm = 'Linf', bounds = [-Infinity, Infinity] } = domain;
  expectNumber(caller, 'radius', radius, 0);
  expectOneOf(caller, 'norm', norm, NORMS);
  const center = readVector(caller, 'center', domain.center);
  const [low, high] = bounds;
  const outside = center.findIndex((value) => !(value >= low && value <= high));
  expectArgument(caller, `center[${outside}]`, outside < 0, `lie within bounds [${low}, ${high}]`, center[outside]);
  const away = (value: number): number => 2 * UNIT * (Math.abs(value) + radius);
  return {
    center,
    radius,
    norm,
    lower: center.map((value) => Math.max(low, value - radius - away(value))),
    upper: center.map((value) => Math.min(high, value + radius + away(value))),
  };
}

/** The steps of a network for one input, with every bias known. */
export function localGraph(caller: string, network: NetworkNode, region: Region): Graph {
  const graph = graphOf(caller, network, region.center.length);
  const blind = graph.steps.find((step) => step.kind === 'affine' && step.bias === undefined);
  expectArgument(caller, `bias of '${blind?.name}'`, blind === undefined, 'be part of the description', 'none', 'Pass bias (of batchNorm, mean and beta; of channelScale, shifts), or [0] where there is none.');
  return graph;
}
