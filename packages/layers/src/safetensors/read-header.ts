import { DataFormatError } from '@moe/core';
import { STORED_TYPES } from './types.js';

/** One tensor of a file, its place checked. */
interface HeaderEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes of the data, counted from the end of the header. */
  readonly begin: number;
  readonly end: number;
}

interface Header {
  readonly entries: readonly HeaderEntry[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Where the data begin. */
  readonly dataStart: number;
}

/** Far above any real header, far below what could hurt. */
const MAX_HEADER = 10_000_000;
const MAX_RANK = 16;
const LENGTH_BYTES = 8;
const DAMAGED = 'The file is damaged or no safetensors file; write it again.';

/** Throws unless a rule about the file holds. */
function expectFile(file: string, holds: boolean, rule: string, got: unknown, remedy = DAMAGED, cause?: unknown): asserts holds {
  const shown = typeof got === 'string' ? (got.length > 80 ? `${got.slice(0, 80)}…` : got) : JSON.stringify(got)?.slice(0, 80);
  if (!holds) throw new DataFormatError(`readSafetensors: ${file} must ${rule}, got ${shown}. ${remedy}`, cause === undefined ? undefined : { cause });
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Reads and checks the header; allocates nothing but its JSON. */
export function readHeader(file: string, bytes: Uint8Array): Header {
  expectFile(file, bytes.length >= LENGTH_BYTES, 'begin with the length of its header', `${bytes.length} bytes`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  const fits = length <= MAX_HEADER && LENGTH_BYTES + Number(length) <= bytes.length;
  expectFile(file, fits, `have a header of at most ${MAX_HEADER} bytes inside the file`, `${length} bytes in a file of ${bytes.length}`);
  const dataStart = LENGTH_BYTES + Number(length);
  const { text, json } = parseHeader(file, bytes.subarray(LENGTH_BYTES, dataStart));
  const { __metadata__: metadata = {}, ...tensors } = json;
  const isText = isObject(metadata) && Object.values(metadata).every((value) => typeof value === 'string');
  expectFile(file, isText, 'have metadata of strings', metadata);
  const entries = Object.entries(tensors).map(([name, entry]) => readEntry(file, name, entry));
  // JSON allows a name twice and keeps the last; another reader may keep the first.
  const written = text.split('"data_offsets"').length - 1;
  expectFile(file, written === entries.length, 'name every tensor once', `${written} places for ${entries.length} names`);
  expectTiling(file, entries, bytes.length - dataStart);
  return { entries, metadata: metadata as Record<string, string>, dataStart };
}

function parseHeader(file: string, bytes: Uint8Array): { text: string; json: Record<string, unknown> } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const json: unknown = JSON.parse(text);
    expectFile(file, text.startsWith('{') && isObject(json), 'have a JSON object as its header', text);
    return { text, json };
  } catch (error) {
    if (error instanceof DataFormatError) throw error;
    return expectFile(file, false, 'have a header of JSON in UTF-8', (error as Error).message, DAMAGED, error) as never;
  }
}

function readEntry(file: string, name: string, entry: unknown): HeaderEntry {
  const where = `${file} at '${name.slice(0, 80)}'`;
  expectFile(where, isObject(entry), 'have an object with dtype, shape and data_offsets', entry);
  const { dtype, shape, data_offsets: offsets } = entry;
  const type = typeof dtype === 'string' ? STORED_TYPES.get(dtype) : undefined;
  expectFile(where, typeof dtype === 'string' && type !== undefined, `have a dtype of ${[...STORED_TYPES.keys()].join(', ')}`, dtype, 'Convert the tensor before it is written.');
  expectFile(where, Array.isArray(shape) && shape.length <= MAX_RANK && shape.every(isSize), `have a shape of at most ${MAX_RANK} sizes`, shape);
  expectFile(where, Array.isArray(offsets) && offsets.length === 2 && offsets.every(isSize), 'have two data_offsets', offsets);
  const [begin, end] = offsets as [number, number];
  const bytes = (shape as number[]).reduce((total, size) => total * size, type.bytes);
  expectFile(where, Number.isSafeInteger(bytes) && end - begin === bytes, `have as many bytes as its shape [${shape.join(',')}] of ${dtype} needs`, `${end - begin}`);
  return { name, dtype, shape: shape as number[], begin, end };
}

/** Checks that the tensors cover the data without overlap, gap or rest. */
function expectTiling(file: string, entries: readonly HeaderEntry[], length: number): void {
  const inOrder = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { name, begin, end } of inOrder) {
    expectFile(`${file} at '${name.slice(0, 80)}'`, begin === at, `begin at byte ${at} of the data, where the tensor before it ends`, `${begin}`);
    at = end;
  }
  expectFile(file, at === length, `have ${at} bytes of data, as its header says`, `${length}`);
}
