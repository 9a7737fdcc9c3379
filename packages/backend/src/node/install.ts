import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ArgumentError, BackendError, FileError, expectKnownKeys, throwIfAborted } from '@moe/core';
import { extractArchive, isArchive } from './archive.js';
import { MANIFEST, type TensorflowInstallation, findLibraries, findTensorflow, tensorflowFolder } from './installation.js';
import { withLock } from './lock.js';
import { downloadWheel, findPythonTensorflow } from './pip.js';
import { TENSORFLOW_VERSION, WHEEL } from './platform.js';
import { checkWheel, extractLibraries } from './wheel.js';

/** How far an installation has come, for a progress bar. */
export interface InstallProgress {
  readonly stage: 'download' | 'check' | 'extract';
  /** Bytes done and to be done. */
  readonly done: number;
  readonly total: number;
}

type Report = (progress: InstallProgress) => void;

/** Options of {@link installTensorflow}. */
export interface InstallTensorflowOptions {
  /** A wheel, a `.tar.gz` of libtensorflow, a folder with TensorFlow's shared objects, or `'python'` for the TensorFlow of the installed Python. Fetched with pip by default. */
  from?: string;
  onProgress?: (progress: InstallProgress) => void;
  /** Stops the installation and leaves nothing behind. */
  signal?: AbortSignal;
}

/**
 * Puts TensorFlow's shared objects into the user's cache directory, once; whatever stops it, the engine is there whole or not at all. Of several at once, one works and the others wait for it.
 *
 * @remarks
 * The wheel is pinned by its SHA-256; an archive is not, so take it from where you trust it. Python is needed for its `pip` alone; no Python package is installed. A folder, or `'python'`, is used where it lies.
 *
 * @throws {@link ArgumentError} if `from` is not there, or a folder without TensorFlow.
 * @throws {@link BackendError} if there is no wheel for this machine, or pip cannot fetch it.
 * @throws {@link DataFormatError} if the wheel is not the pinned one, or the archive holds no TensorFlow.
 * @throws {@link FileError} if the cache cannot be written.
 *
 * @example
 * const { folder } = await installTensorflow({ onProgress: ({ stage, done, total }) => console.log(stage, done / total) });
 */
export async function installTensorflow(options: InstallTensorflowOptions = {}): Promise<TensorflowInstallation> {
  expectKnownKeys('installTensorflow', options, ['from', 'onProgress', 'signal']);
  const { from, onProgress = () => undefined, signal } = options;
  throwIfAborted('installTensorflow', signal);
  const present = findTensorflow();
  if (present !== undefined && from === undefined) return present;
  const source = from === 'python' ? await findPythonTensorflow() : from === undefined ? undefined : resolve(from);
  const info = source === undefined ? undefined : await stat(source).catch(() => undefined);
  if (source !== undefined && info === undefined) throw new ArgumentError(`installTensorflow: from must be a wheel, an archive, a folder or 'python', got '${from}', which is not there.`);

  const target = tensorflowFolder();
  try {
    await mkdir(dirname(target), { recursive: true });
    return await withLock(`${target}.lock`, signal, async () => {
      const made = from === undefined ? findTensorflow() : undefined; // by the installation that held the lock
      return made ?? (await installInto(target, source, info?.isDirectory() ?? false, onProgress, signal));
    });
  } catch (error) {
    throw asFileError(error, target);
  }
}

async function installInto(target: string, source: string | undefined, inPlace: boolean, onProgress: Report, signal: AbortSignal | undefined): Promise<TensorflowInstallation> {
  const temporary = `${target}.${process.pid}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    await mkdir(temporary);
    const outside = inPlace && source !== undefined ? { libraries: librariesIn(source) } : {};
    if (source !== undefined && !inPlace && isArchive(source)) await extractArchive(source, temporary, onProgress, signal);
    else if (!inPlace) await fromWheel(source, temporary, onProgress, signal);
    await writeFile(join(temporary, MANIFEST), `${JSON.stringify({ version: TENSORFLOW_VERSION, from: source ?? WHEEL?.package, ...outside }, null, 2)}\n`);
    await rm(target, { recursive: true, force: true });
    await rename(temporary, target);
  } finally {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
  }
  return findTensorflow()!;
}

/** Takes the installed engine out of the cache. A TensorFlow that is used where it lies stays there. */
export async function removeTensorflow(): Promise<void> {
  await rm(tensorflowFolder(), { recursive: true, force: true });
}

function librariesIn(folder: string): string[] {
  const libraries = findLibraries(folder);
  if (libraries === undefined) throw new ArgumentError(`installTensorflow: from must be a folder with TensorFlow's shared objects, got '${folder}', which has none.`);
  return libraries;
}

async function fromWheel(file: string | undefined, folder: string, onProgress: Report, signal: AbortSignal | undefined): Promise<void> {
  if (WHEEL === undefined) {
    throw new BackendError(
      `installTensorflow: there is no wheel for ${process.platform}-${process.arch}. Unpack an archive of libtensorflow (https://www.tensorflow.org/install/lang_c) and pass its folder as \`from\`.`,
    );
  }
  const downloads = join(folder, 'download');
  const wheel = file ?? (await downloadWheel(WHEEL, downloads, onProgress, signal));
  await checkWheel(wheel, WHEEL, onProgress, signal);
  await extractLibraries(wheel, folder, onProgress, signal);
  await rm(downloads, { recursive: true, force: true });
}

/** The system's own errors, such as a full disk, as errors with a remedy; all others as they are. */
function asFileError(error: unknown, target: string): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (syscall === undefined || code === undefined) return error;
  return new FileError(`installTensorflow: ${dirname(target)} must be writable and have 1.2 GB of free space, got ${message}. Set XDG_CACHE_HOME to choose another place.`, { cause: error });
}
