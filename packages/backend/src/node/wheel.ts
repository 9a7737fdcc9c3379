import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AbortedError, DataFormatError } from '@moe/core';
import { openPromise } from 'yauzl';
import type { InstallProgress } from './install.js';
import { LIBRARY_NAMES, type Wheel } from './platform.js';

type Report = (progress: InstallProgress) => void;

/** Passes bytes on and reports how many there were. */
export function counter(report: (bytes: number) => void): Transform {
  let done = 0;
  return new Transform({
    transform(chunk: Uint8Array, _encoding, next) {
      done += chunk.length;
      report(done);
      next(null, chunk);
    },
  });
}

async function stoppable(run: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  await run.catch((error: unknown) => {
    throw signal?.aborted ? new AbortedError('installTensorflow: stopped.', { cause: error }) : error;
  });
}

/** @throws {@link DataFormatError} unless the file is the pinned wheel. */
export async function checkWheel(file: string, wheel: Wheel, onProgress: Report, signal: AbortSignal | undefined): Promise<void> {
  const { size: total } = await stat(file);
  const hash = createHash('sha256');
  await stoppable(pipeline(createReadStream(file), counter((done) => onProgress({ stage: 'check', done, total })), hash, { ...(signal && { signal }) }), signal);
  const digest = hash.digest('hex');
  if (digest !== wheel.sha256) {
    throw new DataFormatError(`installTensorflow: ${basename(file)} must be the wheel of ${wheel.package} with the SHA-256 ${wheel.sha256}, got ${digest}. Fetch it again.`);
  }
}

/** Writes the shared objects of a wheel into a folder, as a stream: they have 850 MB. */
export async function extractLibraries(file: string, folder: string, onProgress: Report, signal: AbortSignal | undefined): Promise<void> {
  const names = LIBRARY_NAMES[0]!;
  const zip = await openPromise(file, { autoClose: false });
  try {
    const entries = [];
    for await (const entry of zip.eachEntry()) if (names.includes(basename(entry.fileName))) entries.push(entry);
    if (entries.length !== names.length) throw new DataFormatError(`installTensorflow: ${basename(file)} must hold ${names.join(' and ')}.`);
    const total = entries.reduce((sum, { uncompressedSize }) => sum + uncompressedSize, 0);
    let before = 0;
    for (const entry of entries) {
      const report = counter((done) => onProgress({ stage: 'extract', done: before + done, total }));
      const target = createWriteStream(join(folder, basename(entry.fileName)), { mode: 0o644 });
      await stoppable(pipeline(await zip.openReadStreamPromise(entry), report, target, { ...(signal && { signal }) }), signal);
      before += entry.uncompressedSize;
    }
  } finally {
    zip.close();
  }
}
