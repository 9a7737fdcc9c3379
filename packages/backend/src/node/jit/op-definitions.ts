import { BackendError } from '@moe/core';
import { type Library, readBuffer } from '../library.js';
import { type Bytes, readFields } from './protobuf.js';

/** An input of an operation: of one type, of the type that an attribute names, or a list of such. */
interface OpInput {
  readonly typeAttribute: string;
  readonly numberAttribute: string;
  readonly typeListAttribute: string;
}

/** What a graph must know of an operation: its inputs, and the types of its attributes (`'int'`, `'list(type)'`, ...). */
export interface OpDefinition {
  readonly inputs: readonly OpInput[];
  readonly attributes: ReadonlyMap<string, string>;
}

const text = (bytes: Bytes, field: number): string => {
  const found = readFields(bytes).find((entry) => entry.field === field)?.value;
  return found === undefined ? '' : Buffer.from(found as Bytes).toString();
};

/** Messages of one field of `OpDef` (`tensorflow/core/framework/op_def.proto`). */
const messages = (bytes: Bytes, field: number): Bytes[] => readFields(bytes).flatMap((entry) => (entry.field === field ? [entry.value as Bytes] : []));

function parse(bytes: Bytes): OpDefinition {
  return {
    inputs: messages(bytes, 2).map((input) => ({ typeAttribute: text(input, 4), numberAttribute: text(input, 5), typeListAttribute: text(input, 6) })),
    attributes: new Map(messages(bytes, 4).map((attribute) => [text(attribute, 1), text(attribute, 2)])),
  };
}

/** Bytes of the list of all operations that the library knows. */
function readOpList(library: Library): Bytes {
  const buffer = library.TF_GetAllOpList();
  const bytes = readBuffer(library, buffer);
  library.TF_DeleteBuffer(buffer);
  return bytes;
}

/** Looks operations up in what the library says of itself, read once when first asked. */
export function createOpDefinitions(library: Library): (name: string) => OpDefinition {
  let encoded: ReadonlyMap<string, Bytes> | undefined;
  const known = new Map<string, OpDefinition>();
  return (name) => {
    const found = known.get(name);
    if (found !== undefined) return found;
    encoded ??= new Map(messages(readOpList(library), 1).map((bytes) => [text(bytes, 1), bytes]));
    const bytes = encoded.get(name);
    if (bytes === undefined) throw new BackendError(`jit: TensorFlow must have the operation ${name}.`);
    const definition = parse(bytes);
    known.set(name, definition);
    return definition;
  };
}
