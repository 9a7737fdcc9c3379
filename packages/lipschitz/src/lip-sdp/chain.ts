import { ArgumentError, expectArgument } from '@moe/core';
import { frobeniusNorm } from '../internal/gram.js';
import type { LinearMap } from '../internal/power-iteration.js';
import { transposed } from '../internal/real-matrix.js';
import { UNIT } from '../internal/rounding.js';
import { ACTIVATION_SLOPES, MONOTONE } from '../network/activations.js';
import { type AffineStep, type ElementwiseStep, graphOf, inputSizeOf } from '../network/graph.js';
import type { NetworkNode } from '../network/nodes.js';
import type { Chain } from './recursion.js';

/** Row-major `[outputs, inputs]` of maps one after the other. */
function matrixOf(maps: readonly LinearMap[]): Float64Array {
  const [inputs, outputs] = [maps[0]!.inputs, maps.at(-1)!.outputs];
  if (inputs < outputs) {
    const columns = new Float64Array(inputs * outputs);
    for (let i = 0; i < inputs; i++) {
      const unit = new Float64Array(inputs);
      unit[i] = 1;
      columns.set(maps.reduce<Float64Array>((x, map) => map.apply(x), unit), i * outputs);
    }
    return transposed(columns, inputs, outputs);
  }
  const rows = new Float64Array(inputs * outputs);
  for (let o = 0; o < outputs; o++) {
    const unit = new Float64Array(outputs);
    unit[o] = 1;
    rows.set(maps.reduceRight<Float64Array>((y, map) => map.applyTransposed(y), unit), o * inputs);
  }
  return rows;
}

/** The slope that an activation may reach; all those that never fall have slopes in [0, it]. */
function largestSlope(caller: string, { name, activation, slope }: ElementwiseStep): number {
  expectArgument(caller, `activation '${name}'`, MONOTONE.includes(activation) && slope >= 0, 'never fall', activation);
  return activation === 'relu' ? Math.max(1, slope) : ACTIVATION_SLOPES[activation];
}

/** Matrices, some of them products of several layers. */
export interface RoundedChain extends Chain {
  /** How far each matrix is from the exact one at most, in the Frobenius norm; 0 where its entries are weights. */
  readonly errors: readonly number[];
}

/**
 * A description as matrices with monotone activations of slopes in [0, 1] between them; larger and smaller slopes are moved into the next matrix.
 *
 * @param difference - rows `a`, `b` of the last matrix of which only the difference counts.
 */
export function chainOf(caller: string, network: NetworkNode, difference: readonly [number, number] | undefined): RoundedChain {
  const size = inputSizeOf(network);
  expectArgument(caller, 'network', size !== undefined, 'begin with a dense layer or a convolution', network.name);
  const { steps, sizes, output } = graphOf(caller, network, size);
  const groups: { affine: AffineStep[]; slope: number }[] = [{ affine: [], slope: 1 }];
  for (const step of steps) {
    if (step.kind === 'sum') throw new ArgumentError(`${caller}: '${step.name}' adds two paths; layers must follow one another. Bound the parts around it.`);
    if (step.kind === 'affine') groups.at(-1)!.affine.push(step);
    else groups.push({ affine: [], slope: largestSlope(caller, step) });
  }
  expectArgument(caller, 'network', groups.every(({ affine }) => affine.length > 0), 'have a linear layer between two activations and behind the last', network.name);
  const widths = [size];
  const errors: number[] = [];
  const matrices = groups.map(({ affine, slope }) => {
    const matrix = matrixOf(affine.map(({ map }) => map));
    widths.push(affine.at(-1)!.map.outputs);
    const plain = affine.length === 1 && slope === 1;
    errors.push(plain ? 0 : affine.reduce((sum, { map }) => sum + map.terms + 1, 2) * UNIT * slope * frobeniusNorm(matrixOf(affine.map(({ absolute }) => absolute))));
    return slope === 1 ? matrix : matrix.map((value) => value * slope);
  });
  if (difference === undefined) return { widths, matrices, errors };
  const [a, b] = difference;
  const outputs = sizes[output]!;
  expectArgument(caller, 'difference', [a, b].every((row) => Number.isInteger(row) && row >= 0 && row < outputs) && a !== b, `name two of ${outputs} outputs`, [a, b]);
  const last = matrices.at(-1)!;
  const inner = widths.at(-2)!;
  const row = Float64Array.from({ length: inner }, (_, i) => last[a * inner + i]! - last[b * inner + i]!);
  return { widths: [...widths.slice(0, -1), 1], matrices: [...matrices.slice(0, -1), row], errors: [...errors.slice(0, -1), 2 * errors.at(-1)!] };
}
