import { DOWNLOAD_AGAIN, type Source, expectFormat } from './expect-format.js';
import { crc32, inflateExactly } from './inflate.js';

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_LENGTH = 22;
const CENTRAL_LENGTH = 46;
const LOCAL_LENGTH = 30;
const MAX_COMMENT = 0xffff;
const ENCRYPTED = 1;
const STORED = 0;
const DEFLATED = 8;

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

/**
 * Reads every file of a zip archive in memory.
 *
 * @remarks
 * All declared sizes together must fit `maxBytes` before anything is inflated; names that could leave a folder are refused.
 *
 * @returns Content by name; stored entries share memory with the archive.
 * @throws DataFormatError if the archive is damaged, encrypted, larger than 4 GiB, or breaks a rule above.
 */
export function unzip(source: Source, bytes: Uint8Array, maxBytes: number): ReadonlyMap<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = readDirectory(source, view, bytes);
  const total = entries.reduce((sum, { size }) => sum + size, 0);
  expectFormat(source, total <= maxBytes, `inflate to at most ${maxBytes} bytes`, total, 'Raise maxBytes if you trust it.');
  const files = new Map<string, Uint8Array>();
  for (const entry of entries) {
    const member = { caller: source.caller, file: `${source.file}, entry '${entry.name}',` };
    expectFormat(member, isPlainName(entry.name), 'have a relative name without .. and \\', `'${entry.name}'`, 'Do not open archives from strangers that do this.');
    expectFormat(member, !files.has(entry.name), 'occur once', 'two', DOWNLOAD_AGAIN);
    files.set(entry.name, readEntry(member, view, bytes, entry));
  }
  return files;
}

const isPlainName = (name: string): boolean => name !== '' && !/[\\\0:]/.test(name) && !name.startsWith('/') && !name.split('/').includes('..');

function readDirectory(source: Source, view: DataView, bytes: Uint8Array): Entry[] {
  const end = findEnd(view);
  expectFormat(source, end >= 0, 'end with a zip directory', `${bytes.length} bytes without one`, DOWNLOAD_AGAIN);
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    const whole = at + CENTRAL_LENGTH <= end && view.getUint32(at, true) === CENTRAL;
    const next = whole ? at + CENTRAL_LENGTH + view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true) : Infinity;
    expectFormat(source, next <= end, `have ${count} entries in its directory`, i, DOWNLOAD_AGAIN);
    const nameEnd = at + CENTRAL_LENGTH + view.getUint16(at + 28, true);
    const entry: Entry = {
      name: new TextDecoder().decode(bytes.subarray(at + CENTRAL_LENGTH, nameEnd)),
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    };
    const encrypted = (view.getUint16(at + 8, true) & ENCRYPTED) !== 0;
    const readable = !encrypted && (entry.method === STORED || entry.method === DEFLATED);
    expectFormat(source, readable, 'hold only stored or deflated entries', encrypted ? 'an encrypted one' : `method ${entry.method}`, 'Pack it again, e.g. by numpy.savez.');
    entries.push(entry);
    at = next;
  }
  return entries;
}

/** The end record stands last, before a comment of at most 65535 bytes that ends the file. */
function findEnd(view: DataView): number {
  for (let at = view.byteLength - END_LENGTH; at >= Math.max(0, view.byteLength - END_LENGTH - MAX_COMMENT); at--) {
    if (view.getUint32(at, true) === END && at + END_LENGTH + view.getUint16(at + 20, true) === view.byteLength) return at;
  }
  return -1;
}

function readEntry(member: Source, view: DataView, bytes: Uint8Array, { method, crc, packed, size, offset }: Entry): Uint8Array {
  const whole = offset + LOCAL_LENGTH <= bytes.length && view.getUint32(offset, true) === LOCAL;
  const start = whole ? offset + LOCAL_LENGTH + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true) : Infinity;
  expectFormat(member, start + packed <= bytes.length, `lie within the ${bytes.length} bytes of the file`, `end ${start + packed}`, DOWNLOAD_AGAIN);
  const data = bytes.subarray(start, start + packed);
  if (method === DEFLATED) return inflateExactly(member, data, { size, crc });
  expectFormat(member, size === packed && crc32(data) === crc, 'have its declared size and CRC-32', `${packed} bytes`, DOWNLOAD_AGAIN);
  return data;
}
