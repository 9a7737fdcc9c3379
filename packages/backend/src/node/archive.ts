import { createReadStream, createWriteStream } from 'node:fs';
import { basename, join, posix } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { AbortedError, DataFormatError, isMoeError } from '@moe/core';
import { type Extract, type Header, extract } from 'tar-stream';
import type { InstallProgress } from './install.js';
import { LIBRARY_NAMES } from './platform.js';
import { counter } from './wheel.js';

type Report = (progress: InstallProgress) => void;
type Entry = Extract extends AsyncIterable<infer T> ? T : never;

/** Largest member of an archive; shared objects with CUDA have 1.1 GB. */
const MAX_MEMBER_BYTES = 2 ** 31;

/** Largest archive, unpacked, that is read to its end. */
const MAX_ARCHIVE_BYTES = 2 ** 33;

/** Links from a shared object's plain name to the one with all parts of its version. */
const MAX_LINKS = 4;

const NAMES = new Set(LIBRARY_NAMES.flat());

/** Whether a file is an archive by its name. */
export const isArchive = (file: string): boolean => /\.(tar\.gz|tgz)$/.test(file);

function fail(file: string, rule: string, got: string): never {
  throw new DataFormatError(`installTensorflow: ${basename(file)} must ${rule}, got ${got}.`);
}

/** Reads an archive from its beginning; nothing is written but what `visit` writes. */
async function eachMember(file: string, signal: AbortSignal | undefined, visit: (entry: Entry) => Promise<void> | void): Promise<void> {
  const tar = extract();
  let bytes = 0;
  const limit = new Transform({
    transform(chunk: Uint8Array, _encoding, next) {
      bytes += chunk.length;
      if (bytes <= MAX_ARCHIVE_BYTES) next(null, chunk);
      else next(new DataFormatError(`installTensorflow: ${basename(file)} must have at most ${MAX_ARCHIVE_BYTES} bytes unpacked, got more.`));
    },
  });
  const visitAll = async () => {
    for await (const entry of tar) {
      await visit(entry);
      entry.resume();
    }
  };
  try {
    await Promise.all([pipeline(createReadStream(file), createGunzip(), limit, tar, { ...(signal && { signal }) }), visitAll()]);
  } catch (error) {
    if (signal?.aborted) throw new AbortedError('installTensorflow: stopped.', { cause: error });
    if (isMoeError(error) || (error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    throw new DataFormatError(`installTensorflow: ${basename(file)} must be a whole .tar.gz archive, got ${(error as Error).message}.`, { cause: error });
  }
}

/** The member that a path stands for, links within the archive followed. */
function follow(file: string, members: ReadonlyMap<string, Header>, path: string): string {
  let at = path;
  for (let links = 0; links <= MAX_LINKS; links++) {
    const member = members.get(at);
    if (member?.type === 'file') return at;
    if (member?.type === 'symlink') at = posix.join(posix.dirname(at), member.linkname);
    else if (member?.type === 'link') at = posix.normalize(member.linkname);
    else break;
  }
  return fail(file, `hold ${basename(path)} as a file`, `${at}, which is none`);
}

/**
 * Writes the shared objects of a `.tar.gz` of libtensorflow into a folder, under names of our own: no path of the archive is ever written to.
 *
 * @throws {@link DataFormatError} before anything is written, if the archive does not hold them as files of a possible size.
 */
export async function extractArchive(file: string, folder: string, onProgress: Report, signal: AbortSignal | undefined): Promise<void> {
  const members = new Map<string, Header>();
  await eachMember(file, signal, ({ header }) => {
    if (header.size > MAX_MEMBER_BYTES) fail(file, `hold no member above ${MAX_MEMBER_BYTES} bytes`, `${header.size} for ${header.name}`);
    members.set(posix.normalize(header.name), header);
  });
  const found = new Map([...members.keys()].filter((path) => NAMES.has(basename(path))).map((path) => [basename(path), path]));
  const names = LIBRARY_NAMES.find((all) => all.every((name) => found.has(name)));
  if (names === undefined) return fail(file, `hold ${LIBRARY_NAMES.at(-1)!.join(' and ')}`, `${members.size} other members`);
  const wanted = new Map(names.map((name) => [follow(file, members, found.get(name)!), name]));
  const total = [...wanted.keys()].reduce((sum, path) => sum + members.get(path)!.size, 0);
  let before = 0;
  await eachMember(file, signal, async (entry) => {
    const name = wanted.get(posix.normalize(entry.header.name));
    if (name === undefined) return;
    await pipeline(entry, counter((done) => onProgress({ stage: 'extract', done: before + done, total })), createWriteStream(join(folder, name), { mode: 0o644 }));
    before += entry.header.size;
  });
}
