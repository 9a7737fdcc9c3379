// The few words of WebAssembly that the product of matrices needs, as bytes.

type Code = readonly number[];

const VECTOR = 0xfd;

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  const low = value & 0x7f;
  const rest = value >>> 7;
  return rest === 0 ? [low] : [low | 0x80, ...unsigned(rest)];
}

/** Signed LEB128 of a small number that is not negative. */
const signed = (value: number): number[] => (value < 64 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >> 7)]);

const list = (items: readonly Code[]): number[] => [...unsigned(items.length), ...items.flat()];

const section = (id: number, content: Code): number[] => [id, ...unsigned(content.length), ...content];

const text = (word: string): number[] => list(Array.from(word, (letter) => [letter.charCodeAt(0)]));

export const I32 = 0x7f;
export const F64 = 0x7c;
export const V128 = 0x7b;

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];
export const constant = (value: number): Code => [0x41, ...signed(value)];
export const plus = (a: Code, b: Code): Code => [...a, ...b, 0x6a];
export const minus = (a: Code, b: Code): Code => [...a, ...b, 0x6b];
export const times = (a: Code, b: Code): Code => [...a, ...b, 0x6c];
export const below = (a: Code, b: Code): Code => [...a, ...b, 0x49];
/** Runs once, and again while the condition holds. */
export const loopWhile = (body: readonly Code[], condition: Code): Code => [0x03, 0x40, ...body.flat(), ...condition, 0x0d, 0, 0x0b];

export const load = (address: Code, offset = 0): Code => [...address, VECTOR, 0x00, 4, ...unsigned(offset)];
export const store = (address: Code, value: Code, offset = 0): Code => [...address, ...value, VECTOR, 0x0b, 4, ...unsigned(offset)];
export const splat = (value: Code): Code => [...value, VECTOR, 0x14];
export const ZERO: Code = [VECTOR, 0x0c, ...new Array<number>(16).fill(0)];
export const add = (a: Code, b: Code): Code => [...a, ...b, VECTOR, 0xf0, 0x01];
export const multiply = (a: Code, b: Code): Code => [...a, ...b, VECTOR, 0xf2, 0x01];
const half = (lane: number, from: number): number[] => Array.from({ length: 8 }, (_, byte) => 16 * from + 8 * lane + byte);
/** Lane `lane` of two vectors as one. */
export const lanes = (a: Code, b: Code, lane: 0 | 1): Code => [...a, ...b, VECTOR, 0x0d, ...half(lane, 0), ...half(lane, 1)];

/** A module of one function without a result, and a memory of one page, both exported. */
export function moduleOf(name: string, parameters: Code, locals: readonly (readonly [count: number, type: number])[], body: readonly Code[]): Uint8Array<ArrayBuffer> {
  const code = [...list(locals.map(([count, type]) => [...unsigned(count), type])), ...body.flat(), 0x0b];
  return Uint8Array.from([
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, list([[0x60, ...list(parameters.map((type) => [type])), 0]])),
    ...section(3, list([[0]])),
    ...section(5, list([[0, 1]])),
    ...section(7, list([[...text('memory'), 2, 0], [...text(name), 0, 0]])),
    ...section(10, list([[...unsigned(code.length), ...code]])),
  ]);
}
