import { readFileBounded, writeFileAtomic } from '@moe/core/node';

const MAX_JSON_BYTES = 64 * 2 ** 20;

/** Reads a JSON file of a run; `undefined` if it is not there yet. */
export async function readJson<T>(path: string): Promise<T | undefined> {
  const bytes = await readFileBounded('readJson', path, MAX_JSON_BYTES);
  return bytes === undefined ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as T);
}

export const writeJson = (path: string, value: unknown): Promise<void> => writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
