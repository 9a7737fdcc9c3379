import { describe, expect, it } from 'vitest';
import { createRng } from '@moe/core';
import { mapInWorkers } from './map-in-workers.js';
import inputGradients, { type Shard } from './testing/shard-worker.js';

const MODULE = new URL('./testing/shard-worker.ts', import.meta.url);
const execArgv = ['--conditions=@moe/source', '--import', 'tsx'];

const weights = new Float32Array(new SharedArrayBuffer(4 * 108));
weights.set(createRng(2).normal(108));
const shards = (count: number): Shard[] => Array.from({ length: count }, (_, i) => ({ first: (12 / count) * i, count: 12 / count, weights }));

describe('mapInWorkers', () => {
  it('gives the results of one thread, bit for bit and in order, and tells how far it is', async () => {
    const whole = await inputGradients(shards(1)[0]!);
    const seen: string[] = [];
    const parts = await mapInWorkers<Shard, Float32Array>(MODULE, shards(4), { threads: 2, execArgv, onProgress: (done, total) => void seen.push(`${done}/${total}`) });
    expect(parts.flatMap((part) => Array.from(part))).toEqual(Array.from(whole));
    expect(seen).toEqual(['1/4', '2/4', '3/4', '4/4']);
  });

  it('throws what a worker threw', async () => {
    const [first, second] = shards(2) as [Shard, Shard];
    await expect(mapInWorkers(MODULE, [{ ...first, instead: 'wait' }, { ...second, instead: 'throw' }], { threads: 2, execArgv })).rejects.toThrow('shard 6 is broken');
  });

  it('ends its workers when the signal fires', async () => {
    const waiting = shards(2).map((shard) => ({ ...shard, instead: 'wait' }));
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 200);
    await expect(mapInWorkers(MODULE, waiting, { threads: 2, execArgv, signal: stop.signal })).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(mapInWorkers(MODULE, waiting, { signal: stop.signal })).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('has nothing to do for no task, and refuses wrong options', async () => {
    expect(await mapInWorkers(MODULE, [])).toEqual([]);
    await expect(mapInWorkers(MODULE, [1], { threads: 0 })).rejects.toThrow('mapInWorkers: threads must be an integer in [1, 1024], got 0.');
    await expect(mapInWorkers(MODULE, [1], { thread: 1 } as object)).rejects.toThrow("Did you mean 'threads'?");
  });
});
