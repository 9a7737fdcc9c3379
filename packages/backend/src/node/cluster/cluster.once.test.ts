// Clusters of processes on this machine, where the engine is installed: `pnpm backend install tensorflow`.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { useBackend } from '../../use-backend.js';
import { findTensorflow } from '../installation.js';
import { type Ending, freeAddresses, startWorker, startWorkers } from './test-processes.js';
import { ROWS, trainOn } from './test-training.js';

interface Agreement {
  rank: number;
  exchange: { shape: number[]; sum: Record<string, number[]>; mean: number[]; sent: Record<string, number[]>; bits: string; kept: number };
  wait: { arrived: number; left: number; ticks: number };
  weights: number[];
  rules: string[];
  closed: string;
}

interface Failure {
  first: { message: string; seconds: number };
  next: { message: string; seconds: number };
}

const report = <T>({ output }: Ending): T => JSON.parse(output) as T;

describe.skipIf(findTensorflow() === undefined)('a cluster of processes (skipped unless `pnpm backend install tensorflow` was run)', () => {
  it.each([2, 4])('of %i sums, averages, sends and waits exactly, trains as one process does, and ends cleanly and silently', async (size) => {
    const endings = await startWorkers(size, 'agree', 20);
    expect(endings.map(({ code, errors }) => ({ code, errors }))).toEqual(Array.from({ length: size }, () => ({ code: 0, errors: '' })));
    const all = endings.map((ending) => report<Agreement>(ending));
    const ranks = Array.from({ length: size }, (_, i) => i);
    const total = ranks.reduce((a, b) => a + b);
    const weight = [total + size / 2, 2 ** size - 1, -size];
    await useBackend('cpu');
    const alone = await trainOn(0, ROWS, (gradients) => Promise.resolve(gradients));
    expect(all.map(({ rank }) => rank)).toEqual(ranks);
    for (const { exchange, weights, rules, closed } of all) {
      expect(exchange).toMatchObject({ shape: [1, 3], sum: { count: [total, size], weight, none: [] }, mean: weight.map((value) => value / size), kept: 0 });
      expect(exchange.sent).toEqual({ count: [size - 1, 1], weight: [size - 0.5, 2 ** (size - 1), -1], none: [] });
      expect(exchange.bits).toBe(all[0]?.exchange.bits);
      expect(weights).toEqual(all[0]?.weights);
      alone.forEach((value, i) => expect(Math.abs((weights[i] as number) - value)).toBeLessThan(1e-6));
      expect(rules).toEqual([
        "allReduce: x must have the data type float32, got 'int32'.",
        "allReduce: x.flag must have the data type float32 or int32, got 'bool'.",
        `broadcast: root must be an integer in [0, ${size - 1}], got ${size}.`,
      ]);
      expect(closed).toMatch(/^barrier: the cluster must be open, but it ended before/);
    }
    const arrivals = all.map(({ wait }) => wait.arrived);
    for (const { wait } of all) expect(wait.left).toBeGreaterThanOrEqual(Math.max(...arrivals));
    // Whoever waited went on meanwhile; a timer of 50 ms may be late.
    for (const { wait } of all) expect(wait.ticks).toBeGreaterThanOrEqual(Math.floor((wait.left - wait.arrived) / 200));
  });

  it('of 3 makes the same calls many times over, exactly and with no more threads', async () => {
    for (const ending of await startWorkers(3, 'repeat', 20)) {
      const { wrong, started } = report<{ wrong: number[]; started: number }>(ending);
      expect(wrong).toEqual([]);
      // A thread for every call would be 225.
      expect(started).toBeLessThan(40);
    }
  });

  it('of 4 fails on every worker within the time-out when one is killed, and names it', async () => {
    const endings = await startWorkers(4, 'die', 5);
    expect(endings.map(({ code }) => code)).toEqual([0, 0, 0, 'SIGKILL']);
    for (const ending of endings.slice(0, 3)) {
      const { first, next } = report<Failure>(ending);
      expect(first.message).toMatch(/^allReduce: every worker must be there, but no connection is accepted by .*worker 3 \(127\.0\.0\.1:\d+\)\. Start all workers again/);
      // A worker that has no connection to the one that died hears of it when the time is out; it may be slow to say so where other tests run beside it.
      expect(first.seconds).toBeLessThan(5 + 10);
      expect(next.message).toMatch(/^barrier: the cluster must be open, but it ended before/);
      expect(next.seconds).toBeLessThan(5);
    }
  });

  it('of 2 fails within the time-out when one makes no more calls', async () => {
    const [first, second] = await startWorkers(2, 'stall', 2);
    expect([first?.code, second?.code]).toEqual([0, 0]);
    const { message, seconds } = report<Failure>(first as Ending).first;
    expect(message).toMatch(/^barrier: every worker must make the same call within 2 s, with the same shapes\. .*timed out/);
    expect(seconds).toBeGreaterThan(1.9);
    expect(seconds).toBeLessThan(20);
  });

  it('of 2 fails when the workers disagree about a shape', async () => {
    const endings = await startWorkers(2, 'differ', 3);
    for (const ending of endings) expect(report<Failure>(ending).first.message).toMatch(/^allReduce: every worker must/);
  });

  it('of 2 lets a worker end at once in the midst of a call, and tells the other', async () => {
    const started = Date.now();
    const [first, second] = await startWorkers(2, 'leave', 100);
    expect([first?.code, second?.code]).toEqual([3, 0]);
    expect(report<Failure>(second as Ending).first.message).toMatch(/worker 0 \(/);
    expect(Date.now() - started).toBeLessThan(60_000);
  });

  it('does not start without all workers, and says who is missing', async () => {
    const [here, missing] = await freeAddresses(2);
    const { code, errors } = await startWorker({ cluster: { chief: [here], worker: [missing] }, task: { type: 'chief', index: 0 } }, 'agree', 20, 2);
    expect(code).toBe(1);
    expect(errors).toContain(`BackendError: connectCluster: every worker must be there, but no connection is accepted by worker 1 (${missing})`);
  });
  it('says so when the port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { code, errors } = await startWorker({ cluster: { worker: [address] }, task: { type: 'worker', index: 0 } }, 'agree', 2);
    server.close();
    expect(code).toBe(1);
    expect(errors).toContain(`BackendError: connectCluster: the port of ${address} must be free on this machine`);
  });
});
