// The wire format of protocol buffers, as much of it as graphs need.

/** Bytes of a message or of one of its fields. */
export type Bytes = Uint8Array;

/** A varint; negative numbers take ten bytes, as int64 does. */
function varint(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return bytes;
}

export const concatBytes = (...parts: readonly ArrayLike<number>[]): Bytes => {
  const bytes = new Uint8Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};

/** A field that is an integer, an enumerator or a bool. */
export const integer = (field: number, value: number | bigint): Bytes => Uint8Array.from([...varint(field * 8), ...varint(value)]);

/** A field that is a float. */
export const float = (field: number, value: number): Bytes => concatBytes(varint(field * 8 + 5), new Uint8Array(Float32Array.of(value).buffer));

/** A field that is a message, a text or bytes. */
export const block = (field: number, ...content: readonly (Bytes | string)[]): Bytes => {
  const bytes = concatBytes(...content.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  return concatBytes(varint(field * 8 + 2), varint(bytes.length), bytes);
};

/** The fields of a message: numbers of them, and their values as integers or as bytes. */
export function readFields(bytes: Bytes): { readonly field: number; readonly value: number | Bytes }[] {
  const fields = [];
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = number();
    const kind = tag & 7;
    if (kind === 0) fields.push({ field: tag >>> 3, value: number() });
    else {
      const length = kind === 2 ? number() : kind === 5 ? 4 : 8;
      fields.push({ field: tag >>> 3, value: bytes.subarray(at, at + length) });
      at += length;
    }
  }
  return fields;
}
