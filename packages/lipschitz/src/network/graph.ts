import { ArgumentError, expectArgument } from '@moe/core';
import { convMap, denseMap, meanMap, scaleMap } from '../internal/linear-maps.js';
import type { LinearMap } from '../internal/power-iteration.js';
import type { ActivationName } from './activations.js';
import type { NetworkNode } from './nodes.js';

/** An affine map of one value: `x ↦ map(x) + bias`. */
export interface AffineStep {
  readonly kind: 'affine';
  readonly name: string;
  readonly input: number;
  readonly map: LinearMap;
  /** The map with the absolute values of its weights. */
  readonly absolute: LinearMap;
  /** Repeats along the output; unknown where the description does not tell. */
  readonly bias: Float64Array | undefined;
}

/** The same function of every entry. */
export interface ElementwiseStep {
  readonly kind: 'elementwise';
  readonly name: string;
  readonly input: number;
  readonly activation: ActivationName;
  readonly slope: number;
}

/** The sum of two values of one size. */
interface SumStep {
  readonly kind: 'sum';
  readonly name: string;
  readonly inputs: readonly [number, number];
}

/** One step; step k makes value k + 1, and value 0 is the input. */
export type Step = AffineStep | ElementwiseStep | SumStep;

/** A network as a list of steps on flat vectors. */
export interface Graph {
  /** Length of every value, the input first. */
  readonly sizes: readonly number[];
  readonly steps: readonly Step[];
  /** Which value is the output. */
  readonly output: number;
}

const magnitudes = (values: Float64Array): Float64Array => values.map(Math.abs);

function affine(node: NetworkNode, input: number, size: number): AffineStep | undefined {
  const { name } = node;
  if (node.kind === 'dense') {
    const { kernel, bias } = node;
    const rows = size / kernel.shape[0]!;
    return { kind: 'affine', name, input, map: denseMap(kernel, rows), absolute: denseMap({ ...kernel, values: magnitudes(kernel.values) }, rows), bias };
  }
  if (node.kind === 'conv2d') {
    const { operator, bias } = node;
    const { kernel } = operator;
    return { kind: 'affine', name, input, map: convMap(operator), absolute: convMap({ ...operator, kernel: { ...kernel, values: magnitudes(kernel.values) } }), bias };
  }
  if (node.kind === 'scale') return { kind: 'affine', name, input, map: scaleMap(node.factors, size), absolute: scaleMap(magnitudes(node.factors), size), bias: node.shifts };
  if (node.kind === 'constant' && node.map?.kind === 'global-average') {
    const map = meanMap(node.map.pixels, size);
    return { kind: 'affine', name, input, map, absolute: map, bias: Float64Array.of(0) };
  }
  return undefined;
}

/** The number of inputs that a node asks for, where it tells. */
export function inputSizeOf(node: NetworkNode): number | undefined {
  if (node.kind === 'dense') return node.kernel.shape[0];
  if (node.kind === 'conv2d') return node.operator.height.inputs * node.operator.width.inputs * node.operator.kernel.shape[2]!;
  if (node.kind === 'sum') return node.branches.map(inputSizeOf).find((size) => size !== undefined);
  if (node.kind === 'constant' && node.map?.kind === 'network') return inputSizeOf(node.map.network);
  if (node.kind !== 'sequence') return undefined;
  for (const child of node.nodes) {
    const size = inputSizeOf(child);
    if (size !== undefined) return size;
    const keeps = child.kind === 'scale' || (child.kind === 'constant' && (child.map?.kind === 'identity' || child.map?.kind === 'elementwise'));
    if (!keeps) return undefined;
  }
  return undefined;
}

/**
 * Flattens a description into steps.
 *
 * @throws {@link ArgumentError} that names a node of which only constants are known, a hard-routed layer, or sizes that do not fit.
 */
export function graphOf(caller: string, network: NetworkNode, size: number): Graph {
  const sizes = [size];
  const steps: Step[] = [];
  const push = (step: Step, length: number): number => {
    steps.push(step);
    return sizes.push(length) - 1;
  };
  const walk = (node: NetworkNode, input: number): number => {
    const length = sizes[input]!;
    const wanted = node.kind === 'dense' ? node.kernel.shape[0]! : inputSizeOf(node);
    const fits = wanted === undefined || node.kind === 'sequence' || length === wanted || (node.kind === 'dense' && length % wanted === 0);
    expectArgument(caller, `input of '${node.name}'`, fits, `have ${wanted} entries`, length);
    if (node.kind === 'sequence') return node.nodes.reduce((at, child) => walk(child, at), input);
    if (node.kind === 'sum') {
      const ends = node.branches.map((branch) => walk(branch, input));
      return ends.reduce((a, b) => {
        expectArgument(caller, `branches of '${node.name}'`, sizes[a] === sizes[b], 'have outputs of one size', `${sizes[a]} and ${sizes[b]}`);
        return push({ kind: 'sum', name: node.name, inputs: [a, b] }, sizes[a]!);
      });
    }
    if (node.kind === 'concat') throw new ArgumentError(`${caller}: '${node.name}' puts outputs side by side, which this bound does not follow. Use productBound.`);
    if (node.kind === 'hard-routed') throw new ArgumentError(`${caller}: the router of '${node.name}' makes the output jump. Describe the network with one expert in its place.`);
    if (node.kind === 'constant' && node.map?.kind === 'identity') return input;
    if (node.kind === 'constant' && node.map?.kind === 'network') return walk(node.map.network, input);
    if (node.kind === 'constant' && node.map?.kind === 'elementwise') {
      const { activation, slope } = node.map;
      return activation === 'linear' ? input : push({ kind: 'elementwise', name: node.name, input, activation, slope }, length);
    }
    const step = affine(node, input, length);
    if (step === undefined) throw new ArgumentError(`${caller}: of '${node.name}' only constants are known, and this bound needs to know what it computes. Leave it out, or bound the parts before and after it.`);
    return push(step, step.map.outputs);
  };
  const output = walk(network, 0);
  return { sizes, steps, output };
}
