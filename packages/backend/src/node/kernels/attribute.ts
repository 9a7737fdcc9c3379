// Attributes of TensorFlow's operations, by the types that its definitions give them.
import type { DataType } from '@tensorflow/tfjs-core';
import type { Attribute } from '../attributes.js';
import { TYPES } from '../types.js';

/** TensorFlow's number of a type of tfjs. */
export const DTYPES: Readonly<Record<DataType, number>> = {
  float32: TYPES.TF_FLOAT,
  int32: TYPES.TF_INT32,
  bool: TYPES.TF_BOOL,
  complex64: TYPES.TF_COMPLEX64,
  string: TYPES.TF_STRING,
};

export const type = (name: string, value: number): Attribute => ({ name, type: TYPES.TF_ATTR_TYPE, value });
export const int = (name: string, value: number | readonly number[]): Attribute => ({ name, type: TYPES.TF_ATTR_INT, value });
export const float = (name: string, value: number): Attribute => ({ name, type: TYPES.TF_ATTR_FLOAT, value });
export const bool = (name: string, value: boolean): Attribute => ({ name, type: TYPES.TF_ATTR_BOOL, value });
export const text = (name: string, value: string | readonly string[]): Attribute => ({ name, type: TYPES.TF_ATTR_STRING, value });
