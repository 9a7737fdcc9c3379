import type { OperatorNorm, SoundBound } from '@moe/core';
import type { Kernel } from '../internal/arrays.js';
import type { ConvOperator } from '../internal/conv-geometry.js';

/** A dense layer; its bias plays no part. */
export interface DenseNode {
  readonly kind: 'dense';
  readonly name: string;
  readonly kernel: Kernel;
}

/** A convolution of one image size; its bias plays no part. */
export interface ConvNode {
  readonly kind: 'conv2d';
  readonly name: string;
  readonly operator: ConvOperator;
}

/** One factor a channel (the last axis), or a single one: batch norm in evaluation mode, input normalisation. */
export interface ScaleNode {
  readonly kind: 'scale';
  readonly name: string;
  readonly factors: Float64Array;
}

/** A map whose constants are known in closed form, by norm. */
export interface ConstantNode {
  readonly kind: 'constant';
  readonly name: string;
  readonly bounds: Readonly<Partial<Record<OperatorNorm, SoundBound>>>;
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

/** Maps between which a router chooses, with jumps where its choice changes. */
export interface HardRoutedNode {
  readonly kind: 'hard-routed';
  readonly name: string;
  readonly experts: readonly NetworkNode[];
}

/**
 * A network as data: what {@link productBound} bounds. Immutable; weights were copied when it was made.
 */
export type NetworkNode = DenseNode | ConvNode | ScaleNode | ConstantNode | SequenceNode | SumNode | HardRoutedNode;
