/** What TensorBoard is told at one step: scalars by tag, that a file begins, or that what later steps said before is void. */
export type EventContent = { readonly scalars: Readonly<Record<string, number>> } | { readonly fileVersion: string } | { readonly restart: true };

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

const field = (number: number, wire: number): number[] => varint(number * 8 + wire);
const message = (number: number, bytes: readonly number[]): number[] => [...field(number, 2), ...varint(bytes.length), ...bytes];
const text = (number: number, value: string): number[] => message(number, [...new TextEncoder().encode(value)]);
const float = (number: number, value: number): number[] => [...field(number, 5), ...new Uint8Array(Float32Array.of(value).buffer)];
const double = (number: number, value: number): number[] => [...field(number, 1), ...new Uint8Array(Float64Array.of(value).buffer)];

/**
 * Bytes of the protocol buffer `Event` of TensorBoard.
 *
 * @remarks Fields of `event.proto` and `summary.proto`: wall_time 1, step 2, file_version 3, summary 5 (value 1: tag 1, simple_value 2), session_log 7 (status 1, of which START is 1).
 *
 * @param seconds - since 1970.
 */
export function encodeEvent(seconds: number, step: number, content: EventContent): Uint8Array {
  const what =
    'fileVersion' in content
      ? text(3, content.fileVersion)
      : 'restart' in content
        ? message(7, [...field(1, 0), 1])
        : message(5, Object.entries(content.scalars).flatMap(([tag, value]) => message(1, [...text(1, tag), ...float(2, value)])));
  return Uint8Array.from([...double(1, seconds), ...field(2, 0), ...varint(step), ...what]);
}
