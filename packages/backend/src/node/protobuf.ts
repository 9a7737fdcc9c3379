// The few parts of the protocol buffer format that TensorFlow's configuration takes.

const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]);

/** A field that holds a whole number of at least 0. */
export const integerField = (number: number, value: number): number[] => [...varint(number * 8), ...varint(value)];

/** A field that holds a message, given by its fields. */
export function messageField(number: number, ...fields: readonly (readonly number[])[]): number[] {
  const bytes = fields.flat();
  return [...varint(number * 8 + 2), ...varint(bytes.length), ...bytes];
}

/** A field that holds text. */
export const textField = (number: number, value: string): number[] => messageField(number, [...Buffer.from(value)]);

/** A field that holds a double. */
export const doubleField = (number: number, value: number): number[] => [...varint(number * 8 + 1), ...new Uint8Array(Float64Array.of(value).buffer)];
