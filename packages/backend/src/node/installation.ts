import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { LIBRARY_NAMES, TENSORFLOW_VERSION } from './platform.js';

/** An installed TensorFlow. */
export interface TensorflowInstallation {
  /** Folder of the engine in the user's cache. */
  readonly folder: string;
  /** Shared objects, in the order of loading; outside the folder if an existing TensorFlow is used. */
  readonly libraries: readonly string[];
  /** The wheel or the folder that they came from. */
  readonly from: string;
}

/** File that makes an installation complete; written last. */
export const MANIFEST = 'install.json';

/** The user's cache directory by the custom of the system; `XDG_CACHE_HOME` goes before it everywhere. */
function cacheHome(): string {
  const { XDG_CACHE_HOME: chosen, LOCALAPPDATA: windows } = process.env;
  if (chosen !== undefined && chosen !== '') return chosen;
  if (process.platform === 'win32') return windows ?? join(homedir(), 'AppData', 'Local');
  return process.platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache');
}

/** Folder into which TensorFlow is installed. */
export function tensorflowFolder(): string {
  return join(cacheHome(), 'moe', `tensorflow-${TENSORFLOW_VERSION}`);
}

/** The shared objects in a folder, in its `lib` or in its `tensorflow`. */
export function findLibraries(folder: string): string[] | undefined {
  const candidates = ['.', 'lib', 'tensorflow'].flatMap((sub) => LIBRARY_NAMES.map((names) => names.map((name) => join(folder, sub, name))));
  return candidates.find((paths) => paths.every((path) => existsSync(path)));
}

/** The installed TensorFlow, or `undefined` if there is none or its files are gone. */
export function findTensorflow(): TensorflowInstallation | undefined {
  const folder = tensorflowFolder();
  try {
    const { from, libraries: outside } = JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8')) as { from: string; libraries?: readonly string[] };
    const libraries = outside ?? findLibraries(folder);
    return libraries?.every((path) => existsSync(path)) ? { folder, libraries, from } : undefined;
  } catch {
    return undefined;
  }
}
