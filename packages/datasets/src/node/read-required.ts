import { DataFormatError } from '@moe/core';
import { readFileBounded } from '@moe/core/node';

/**
 * Reads a file that must exist, after checking its size.
 *
 * @throws DataFormatError if it is missing, larger than `maxBytes`, or not a regular file.
 */
export async function readRequired(caller: string, path: string, maxBytes: number, remedy: string): Promise<Uint8Array> {
  const bytes = await readFileBounded(caller, path, maxBytes);
  if (bytes === undefined) throw new DataFormatError(`${caller}: ${path} must exist, got no such file. ${remedy}`);
  return bytes;
}
