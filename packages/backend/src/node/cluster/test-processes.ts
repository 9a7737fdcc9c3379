// Starts the workers of a test on this machine.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/** How a worker ended. */
export interface Ending {
  readonly code: number | string | null | undefined;
  readonly output: string;
  readonly errors: string;
}

/** Addresses of this machine that nothing uses. */
export async function freeAddresses(count: number): Promise<string[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const addresses = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return addresses;
}

/** Runs one worker of the cluster that `config` describes, for two minutes at most: starting takes long where other tests run beside it. */
export function startWorker(config: unknown, scene: string, timeoutSeconds: number, connectTimeoutSeconds = 60): Promise<Ending> {
  const file = fileURLToPath(new URL('test-worker.ts', import.meta.url));
  const options = { env: { ...process.env, TF_CONFIG: JSON.stringify(config) }, timeout: 120_000, killSignal: 'SIGKILL' as const };
  return new Promise((resolve) => {
    execFile(process.execPath, ['--conditions=@moe/source', '--import', 'tsx', file, scene, String(timeoutSeconds), String(connectTimeoutSeconds)], options, (error, output, errors) =>
      resolve({ code: error === null ? 0 : (error.code ?? error.signal), output, errors }),
    );
  });
}

/** Runs all workers of a cluster without a chief. */
export async function startWorkers(count: number, scene: string, timeoutSeconds: number): Promise<Ending[]> {
  const worker = await freeAddresses(count);
  return Promise.all(worker.map((_, index) => startWorker({ cluster: { worker }, task: { type: 'worker', index } }, scene, timeoutSeconds)));
}
