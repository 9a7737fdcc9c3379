import { rm } from 'node:fs/promises';
import { readFileBounded, writeFileAtomic } from '@moe/core/node';

const MAX_BYTES = 2 ** 24;

/** Results of the runs of a long comparison, kept in a file, so that what was interrupted goes on after the last run that ended. */
export interface Ledger {
  /** The result that the file has under a name, or that of the run, which is then kept; plain JSON. */
  once<T>(name: string, run: () => T | Promise<T>): Promise<T>;
  /** Forgets all runs: the next comparison measures anew. */
  clear(): Promise<void>;
}

/**
 * Opens a ledger, empty unless the file is of the very same setting.
 *
 * @param path    - file to use; it and its folder are made when needed.
 * @param setting - all that the results depend on besides their names, such as versions and weights.
 */
export async function openLedger(path: string, setting: string): Promise<Ledger> {
  const bytes = await readFileBounded('bench', path, MAX_BYTES);
  const kept = bytes === undefined ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as { setting: string; runs: Record<string, unknown> });
  const runs = kept?.setting === setting ? kept.runs : {};
  return {
    async once<T>(name: string, run: () => T | Promise<T>) {
      if (!Object.hasOwn(runs, name)) {
        runs[name] = await run();
        await writeFileAtomic(path, JSON.stringify({ setting, runs }));
      }
      return runs[name] as T;
    },
    clear: () => rm(path, { force: true }),
  };
}
