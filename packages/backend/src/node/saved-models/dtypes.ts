import { TYPES } from '../types.js';

/** TensorFlow's names of its types (`tensorflow/c/tf_datatype.h`); `'other'` stands for those that no model takes or gives as numbers. */
export type DtypeName =
  | 'float32' | 'float64' | 'float16' | 'bfloat16' | 'int8' | 'int16' | 'int32' | 'int64' | 'uint8' | 'uint16' | 'uint32' | 'uint64' | 'bool' | 'complex64' | 'string' | 'other';

export const NAMES: Readonly<Record<number, DtypeName>> = {
  1: 'float32', 2: 'float64', 3: 'int32', 4: 'uint8', 5: 'int16', 6: 'int8', 7: 'string', 8: 'complex64', 9: 'int64', 10: 'bool', 14: 'bfloat16', 17: 'uint16', 19: 'float16', 22: 'uint32', 23: 'uint64',
};

/** The type of tfjs that holds the values of one that it does not know, by TensorFlow's numbers. */
export const STAND_INS: Readonly<Record<number, number>> = {
  ...Object.fromEntries([2, 14, 19].map((float) => [float, TYPES.TF_FLOAT])),
  ...Object.fromEntries([4, 5, 6, 9, 17, 22, 23].map((whole) => [whole, TYPES.TF_INT32])),
};
