import type { DataId, TensorInfo } from '@tensorflow/tfjs-core';
import type { Attribute } from '../attributes.js';
import type { Binding, TensorMetadata } from '../binding.js';
import type { Values } from '../tensors.js';
import { TYPES } from '../types.js';
import { DTYPES, bool, int, type } from './attribute.js';

/** What the class of `@tensorflow/tfjs-node-gpu` offers to kernels. */
export interface Engine {
  readonly binding: Binding;
  getInputTensorIds(tensors: readonly TensorInfo[]): number[];
  createOutputTensor(metadata: TensorMetadata): TensorInfo;
  /** Runs an operation with one result, whose shape and type are those of `like`. */
  executeAlike(name: string, inputs: readonly TensorInfo[], like: TensorInfo): TensorInfo;
  readSync(dataId: DataId): Values;
}

/** A tensor of TensorFlow inside one kernel. */
export type Node = TensorMetadata;

/** Operations of TensorFlow; what they make is gone after the kernel, save its results. */
export interface Operations {
  /** A tensor of tfjs. It may not be a result. */
  readonly input: (tensor: TensorInfo) => Node;
  /** A vector of int32. */
  readonly ints: (values: ArrayLike<number>) => Node;
  /** A number of a given type. */
  readonly scalar: (value: number, dtype: number) => Node;
  /** Runs an operation with one output. */
  readonly run: (name: string, attributes: readonly Attribute[], inputs: readonly Node[]) => Node;
  /** Runs an operation with several. */
  readonly runAll: (name: string, attributes: readonly Attribute[], inputs: readonly Node[], outputs: number) => Node[];
}

/**
 * Computes the results of a kernel with TensorFlow's operations alone, so that a tracer sees all of it and types that tfjs lacks, such as int64, can occur within.
 *
 * @returns tensors of tfjs for the nodes that `body` returns; all else that it made is freed, also if it throws.
 */
export function compute(engine: Engine, body: (tf: Operations) => readonly Node[]): TensorInfo[] {
  const { binding } = engine;
  const made = new Set<number>();
  const keep = (nodes: readonly Node[]): readonly Node[] => {
    for (const { id } of nodes) made.add(id);
    return nodes;
  };
  const constant = (shape: number[], dtype: number, values: NodeJS.TypedArray): Node => {
    const node = { id: binding.createTensor(shape, dtype, values), shape, dtype };
    keep([node]);
    return node;
  };
  const runAll: Operations['runAll'] = (name, attributes, inputs, outputs) => [...keep(binding.executeOp(name, attributes, inputs.map(({ id }) => id), outputs))];
  try {
    const results = body({
      input: (tensor) => ({ id: engine.getInputTensorIds([tensor])[0]!, shape: tensor.shape, dtype: DTYPES[tensor.dtype] }),
      ints: (values) => constant([values.length], TYPES.TF_INT32, values instanceof Int32Array ? values : Int32Array.from(values)),
      scalar: (value, dtype) => constant([], dtype, dtype === TYPES.TF_FLOAT ? Float32Array.of(value) : dtype === TYPES.TF_BOOL ? Uint8Array.of(value) : Int32Array.of(value)),
      run: (name, attributes, inputs) => runAll(name, attributes, inputs, 1)[0]!,
      runAll,
    });
    for (const { id } of results) made.delete(id);
    return results.map((result) => engine.createOutputTensor(result));
  } finally {
    for (const id of made) binding.deleteTensor(id);
  }
}

export const cast = (tf: Operations, x: Node, dtype: number): Node =>
  x.dtype === dtype ? x : tf.run('Cast', [type('SrcT', x.dtype), type('DstT', dtype), bool('Truncate', false)], [x]);

export const reshape = (tf: Operations, x: Node, shape: readonly number[]): Node =>
  tf.run('Reshape', [type('T', x.dtype), type('Tshape', TYPES.TF_INT32)], [x, tf.ints(shape)]);

export const transpose = (tf: Operations, x: Node, permutation: readonly number[]): Node =>
  tf.run('Transpose', [type('T', x.dtype), type('Tperm', TYPES.TF_INT32)], [x, tf.ints(permutation)]);

/** Adds entries of `value` before and after every axis. */
export function pad(tf: Operations, x: Node, paddings: readonly (readonly [number, number])[], value = 0): Node {
  const pairs = reshape(tf, tf.ints(paddings.flat()), [paddings.length, 2]);
  return tf.run('PadV2', [type('T', x.dtype), type('Tpaddings', TYPES.TF_INT32)], [x, pairs, tf.scalar(value, x.dtype)]);
}

export const slice = (tf: Operations, x: Node, begin: readonly number[], size: readonly number[]): Node =>
  tf.run('Slice', [type('T', x.dtype), type('Index', TYPES.TF_INT32)], [x, tf.ints(begin), tf.ints(size)]);

/** Every `strides[i]`-th entry of each axis. */
export function pick(tf: Operations, x: Node, strides: readonly number[]): Node {
  const masks = ['begin_mask', 'end_mask', 'ellipsis_mask', 'new_axis_mask', 'shrink_axis_mask'].map((name) => int(name, 0));
  return tf.run('StridedSlice', [type('T', x.dtype), type('Index', TYPES.TF_INT32), ...masks], [x, tf.ints(strides.map(() => 0)), tf.ints(x.shape), tf.ints(strides)]);
}
