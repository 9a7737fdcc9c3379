import { BackendError } from '@moe/core';
import { type Library, NOTHING, type Pointer, addresses } from './library.js';
import type { Status } from './status.js';
import { TYPES } from './types.js';

/** An attribute of an operation, as the kernels of `@tensorflow/tfjs-node-gpu` give it. */
export interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** Sets one attribute, or a list, of an operation that is being built. */
export function setAttribute(library: Library, status: Status, op: Pointer, { name, type, value }: Attribute): void {
  const list = typeof value === 'object' && value !== null ? Array.from(value as ArrayLike<unknown>) : undefined;
  switch (type) {
    case TYPES.TF_ATTR_STRING: {
      const texts = (list ?? [value]).map((text) => Buffer.from(String(text)));
      if (list === undefined) library.TFE_OpSetAttrString(op, name, texts[0]!, texts[0]!.length);
      else {
        const starts = addresses(texts.map((text) => (text.length === 0 ? NOTHING : library.address(text))));
        library.TFE_OpSetAttrStringList(op, name, starts, BigUint64Array.from(texts, ({ length }) => BigInt(length)), texts.length);
      }
      return;
    }
    case TYPES.TF_ATTR_INT:
      if (list === undefined) library.TFE_OpSetAttrInt(op, name, value as number);
      else library.TFE_OpSetAttrIntList(op, name, BigInt64Array.from(list as number[], BigInt), list.length);
      return;
    case TYPES.TF_ATTR_FLOAT:
      if (list === undefined) library.TFE_OpSetAttrFloat(op, name, value as number);
      else library.TFE_OpSetAttrFloatList(op, name, Float32Array.from(list as number[]), list.length);
      return;
    case TYPES.TF_ATTR_BOOL:
      if (list === undefined) library.TFE_OpSetAttrBool(op, name, Number(value));
      else library.TFE_OpSetAttrBoolList(op, name, Uint8Array.from(list, Number), list.length);
      return;
    case TYPES.TF_ATTR_TYPE:
      if (list === undefined) library.TFE_OpSetAttrType(op, name, value as number);
      else library.TFE_OpSetAttrTypeList(op, name, Int32Array.from(list as number[]), list.length);
      return;
    case TYPES.TF_ATTR_SHAPE:
      library.TFE_OpSetAttrShape(op, name, BigInt64Array.from((list ?? []) as number[], BigInt), list?.length ?? -1, status.pointer);
      status.check(name);
      return;
    default:
      throw new BackendError(`executeOp: the attribute ${name} must have a known type, got ${type}.`);
  }
}
