import { type Bytes, readFields } from '../jit/protobuf.js';

/** An input or an output, as the signature of a SavedModel declares it. */
export interface SignatureTensor {
  /** Operation and output that it stands for, such as `'dense:0'`. */
  readonly node: string;
  /** TensorFlow's number of its type. */
  readonly dtype: number;
  /** `null` for a size that is open, `undefined` if even the rank is. */
  readonly shape: readonly (number | null)[] | undefined;
}

/** The inputs and outputs of one function of a SavedModel. */
export interface Signature {
  readonly inputs: ReadonlyMap<string, SignatureTensor>;
  readonly outputs: ReadonlyMap<string, SignatureTensor>;
}

/** Sizes that are open are -1, which comes as a huge number without a sign. */
const OPEN = 2 ** 63;

const valueOf = (message: Bytes, field: number): number | Bytes | undefined => readFields(message).find((entry) => entry.field === field)?.value;
const messages = (message: Bytes, field: number): Bytes[] => readFields(message).flatMap((entry) => (entry.field === field ? [entry.value as Bytes] : []));
const text = (message: Bytes, field: number): string => Buffer.from((valueOf(message, field) as Bytes | undefined) ?? []).toString();
const submessage = (message: Bytes, field: number): Bytes => (valueOf(message, field) as Bytes | undefined) ?? new Uint8Array();

/** A map, sorted by its keys: it is written in no order. */
function entries<T>(message: Bytes, field: number, parse: (value: Bytes) => T): Map<string, T> {
  const found = messages(message, field).map((entry): [string, T] => [text(entry, 1), parse(submessage(entry, 2))]);
  return new Map(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `TensorInfo`: name, type and shape. */
function parseTensor(message: Bytes): SignatureTensor {
  const shape = submessage(message, 3);
  const sizes = messages(shape, 2).map((dimension) => (valueOf(dimension, 1) as number | undefined) ?? 0);
  return { node: text(message, 1), dtype: Number(valueOf(message, 2) ?? 0), shape: valueOf(shape, 3) === 1 ? undefined : sizes.map((size) => (size >= OPEN ? null : size)) };
}

/** Reads the signatures out of a `MetaGraphDef` (`tensorflow/core/protobuf/meta_graph.proto`), by their names. */
export function readSignatures(metaGraph: Bytes): Map<string, Signature> {
  return entries(metaGraph, 5, (signature) => ({ inputs: entries(signature, 1, parseTensor), outputs: entries(signature, 2, parseTensor) }));
}
