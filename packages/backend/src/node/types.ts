/** TensorFlow's numbers of data types (`tensorflow/c/tf_datatype.h`) and of attribute types, by the names that `@tensorflow/tfjs-node-gpu` asks for. */
export const TYPES = {
  TF_FLOAT: 1,
  TF_INT32: 3,
  TF_UINT8: 4,
  TF_STRING: 7,
  TF_COMPLEX64: 8,
  TF_INT64: 9,
  TF_BOOL: 10,
  TF_RESOURCE: 20,
  TF_ATTR_STRING: 0,
  TF_ATTR_INT: 1,
  TF_ATTR_FLOAT: 2,
  TF_ATTR_BOOL: 3,
  TF_ATTR_TYPE: 4,
  TF_ATTR_SHAPE: 5,
  TF_ATTR_RESOURCE: 6,
} as const;

/** Bytes of one element, of the types whose elements have one size. */
export const BYTES: Readonly<Record<number, number>> = {
  [TYPES.TF_FLOAT]: 4,
  [TYPES.TF_INT32]: 4,
  [TYPES.TF_UINT8]: 1,
  [TYPES.TF_COMPLEX64]: 8,
  [TYPES.TF_INT64]: 8,
  [TYPES.TF_BOOL]: 1,
};
