/** Array types that safetensors files hold. */
export type HostArray =
  | Float64Array
  | Float32Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array
  | BigInt64Array
  | BigUint64Array;

/** A tensor outside any engine. */
export interface HostTensor {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: HostArray;
}

/** Tensors by name. A map, because names of a file can be anything. */
export type HostTensors = ReadonlyMap<string, HostTensor>;

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
