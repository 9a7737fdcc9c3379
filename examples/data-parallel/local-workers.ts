import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/** Addresses of this machine that nothing uses. */
async function freeAddresses(count: number): Promise<string[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const addresses = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return addresses;
}

/**
 * Starts this program once for every worker, each with its `TF_CONFIG`, as an operator of Kubernetes does on several machines.
 *
 * @returns The weights that the first worker reports.
 */
export async function trainOnProcesses(count: number, args: readonly string[]): Promise<readonly (readonly number[])[]> {
  const worker = await freeAddresses(count);
  const children = worker.map((_, index) => {
    const TF_CONFIG = JSON.stringify({ cluster: { worker }, task: { type: 'worker', index } });
    return fork(fileURLToPath(new URL('main.ts', import.meta.url)), args, { env: { ...process.env, TF_CONFIG } });
  });
  let weights: readonly (readonly number[])[] = [];
  children[0]?.on('message', (message) => (weights = message as number[][]));
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0] as number | null));
  const failed = codes.findIndex((code) => code !== 0);
  if (failed >= 0) throw new Error(`Worker ${failed} ended with the code ${codes[failed]}.`);
  return weights;
}
