import type { OperatorNorm, SoundBound } from '@moe/core';
import type { Kernel } from '../internal/arrays.js';
import type { ConvOperator } from '../internal/conv-geometry.js';
import type { ActivationName } from './activations.js';

/** A dense layer. */
export interface DenseNode {
  readonly kind: 'dense';
  readonly name: string;
  readonly kernel: Kernel;
  /** What is added to the outputs, one number or one an output; unknown where it was not given, which only local bounds mind. */
  readonly bias: Float64Array | undefined;
}

/** A convolution of one image size. */
export interface ConvNode {
  readonly kind: 'conv2d';
  readonly name: string;
  readonly operator: ConvOperator;
  /** One number, one a channel, or one for every entry of the output; unknown where it was not given. */
  readonly bias: Float64Array | undefined;
}

/** One factor a channel (the last axis), or a single one: batch norm in evaluation mode, input normalisation. */
export interface ScaleNode {
  readonly kind: 'scale';
  readonly name: string;
  readonly factors: Float64Array;
  /** What is added after the multiplication; unknown where it was not given. */
  readonly shifts: Float64Array | undefined;
}

/** What a map with known constants does, for bounds that need more than a constant. */
export type KnownMap =
  | { readonly kind: 'identity' }
  | { readonly kind: 'global-average'; readonly pixels: number }
  | { readonly kind: 'elementwise'; readonly activation: ActivationName; readonly slope: number }
  | { readonly kind: 'network'; readonly network: NetworkNode };

/** A map whose constants are known in closed form, by norm. */
export interface ConstantNode {
  readonly kind: 'constant';
  readonly name: string;
  readonly bounds: Readonly<Partial<Record<OperatorNorm, SoundBound>>>;
  /** What it does, where that is known. */
  readonly map: KnownMap | undefined;
}

/** Maps one after the other. */
export interface SequenceNode {
  readonly kind: 'sequence';
  readonly name: string;
  readonly nodes: readonly NetworkNode[];
}

/** The sum of maps of the same input. */
export interface SumNode {
  readonly kind: 'sum';
  readonly name: string;
  readonly branches: readonly NetworkNode[];
}

/** Maps of the same input, their outputs side by side. */
export interface ConcatNode {
  readonly kind: 'concat';
  readonly name: string;
  readonly branches: readonly NetworkNode[];
}

/** Maps between which a router chooses, with jumps where its choice changes. */
export interface HardRoutedNode {
  readonly kind: 'hard-routed';
  readonly name: string;
  readonly experts: readonly NetworkNode[];
}

/**
 * A network as data: what {@link productBound} bounds. Immutable; weights were copied when it was made.
 */
export type NetworkNode = DenseNode | ConvNode | ScaleNode | ConstantNode | SequenceNode | SumNode | ConcatNode | HardRoutedNode;
