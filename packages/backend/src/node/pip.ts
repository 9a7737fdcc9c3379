import { spawn } from 'node:child_process';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AbortedError, BackendError } from '@moe/core';
import type { InstallProgress } from './install.js';
import { TENSORFLOW_VERSION, type Wheel } from './platform.js';

/** Names by which Python 3 is started, the usual one first. */
const PYTHONS = process.platform === 'win32' ? ['py', 'python', 'python3'] : ['python3', 'python'];

/** How often the size of the download is looked at, in milliseconds. */
const POLL_MS = 250;

/** How often pip takes up a download that broke off, from pip 25.1 on; older ones do not know the variable, and fail. */
const PIP_RESUME_RETRIES = '10';

async function python(args: readonly string[], env: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<string> {
  for (const command of PYTHONS) {
    const result = await new Promise<{ code: number | null; output: string; errors: string } | undefined>((resolve) => {
      const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env }, ...(signal === undefined ? {} : { signal }) });
      let [output, errors] = ['', ''];
      child.stdout.on('data', (text) => (output += String(text)));
      child.stderr.on('data', (text) => (errors += String(text)));
      child.once('error', () => resolve(undefined));
      child.once('close', (code) => resolve({ code, output, errors }));
    });
    if (signal?.aborted) throw new AbortedError('installTensorflow: stopped.', { cause: signal.reason });
    if (result?.code === 0) return result.output;
    if (result?.errors.includes('No module named pip')) throw new BackendError(`installTensorflow: Python must have pip, but ${command} has none. Run \`${command} -m ensurepip\`, or install the package python3-pip of your system.`);
    if (result !== undefined) throw new BackendError(`installTensorflow: \`${command} ${args.join(' ')}\` failed. ${result.errors.trim().split('\n').slice(-4).join(' ')}`);
  }
  throw new BackendError(`installTensorflow: Python 3 with pip must be installed, got neither ${PYTHONS.join(' nor ')}. Install it, or download the wheel elsewhere and pass it as \`from\`.`);
}

/** Bytes in a folder and below, of files that may come and go. */
async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(entries.map((name) => stat(join(folder, name)).then((info) => (info.isFile() ? info.size : 0), () => 0)));
  return sizes.reduce((a, b) => a + b, 0);
}

/**
 * Fetches the wheel with the user's own pip, hence through the user's own mirrors, proxies and certificates.
 *
 * @returns Path of the wheel, in `folder`.
 */
export async function downloadWheel(wheel: Wheel, folder: string, onProgress: (progress: InstallProgress) => void, signal: AbortSignal | undefined): Promise<string> {
  await mkdir(folder, { recursive: true });
  const report = async () => onProgress({ stage: 'download', done: Math.min(wheel.bytes, await sizeOf(folder)), total: wheel.bytes });
  const timer = setInterval(() => void report(), POLL_MS);
  try {
    const target = ['--no-deps', '--only-binary=:all:', '--python-version', '3.12', '--implementation', 'cp', '--platform', wheel.tag, '--dest', folder];
    const args = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-input', '--no-cache-dir', ...target, `${wheel.package}==${TENSORFLOW_VERSION}`];
    await python(args, { TMPDIR: folder, TEMP: folder, TMP: folder, PIP_RESUME_RETRIES }, signal);
  } finally {
    clearInterval(timer);
  }
  const name = (await readdir(folder)).find((file) => file.endsWith('.whl'));
  if (name === undefined) throw new BackendError('installTensorflow: pip must leave a wheel, but there is none.');
  return join(folder, name);
}

/** Folder of the `tensorflow` package of the installed Python. */
export async function findPythonTensorflow(): Promise<string> {
  const output = await python(['-c', "import importlib.util as u; s = u.find_spec('tensorflow'); print(s.submodule_search_locations[0] if s else '')"], {});
  if (output.trim() === '') throw new BackendError('installTensorflow: the installed Python has no package tensorflow. Leave `from` out to fetch a wheel.');
  return output.trim();
}
