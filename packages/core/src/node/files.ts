import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DataFormatError, FileError } from '../errors.js';

/**
 * Writes a file whole or not at all: to a temporary neighbour, flushed, then renamed over the target.
 *
 * @remarks
 * Whatever stops the program, a reader finds the old content or the new. Missing folders are made.
 *
 * @throws {@link FileError} if the disk is full or the place forbidden, with the system's error as its cause; the old content stays.
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new FileError(`writeFileAtomic: ${path} must be writable, got ${(error as Error).message}. Free space or choose another place; what was there before is untouched.`, { cause: error });
  }
}

/**
 * Reads a file after checking its size, so that nothing large is allocated by mistake.
 *
 * @param caller   - name of the public function, first word of the message.
 * @param maxBytes - largest size accepted.
 * @returns The content, or `undefined` if there is no such file.
 * @throws {@link DataFormatError} if it is larger than `maxBytes` or not a regular file.
 */
export async function readFileBounded(caller: string, path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (info === undefined) return undefined;
  if (!info.isFile()) throw new DataFormatError(`${caller}: ${path} must be a regular file.`);
  if (info.size > maxBytes) throw new DataFormatError(`${caller}: ${path} must have at most ${maxBytes} bytes, got ${info.size}.`);
  const file = await open(path, 'r');
  try {
    return await file.readFile();
  } finally {
    await file.close();
  }
}
