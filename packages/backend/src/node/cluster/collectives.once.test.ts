// Without TensorFlow and without other workers: what the calls leave to the collector while they run.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { Library } from '../library.js';
import { TYPES } from '../types.js';
import { createCollectives } from './collectives.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('createCollectives', () => {
  it('keeps the memory into which a running call writes', async () => {
    /** What has an address here: its place. */
    const lent: WeakRef<NodeJS.TypedArray>[] = [];
    const lost: boolean[] = [];
    let looking = false;
    const answers: Partial<Library> = {
      address: (memory) => lent.push(new WeakRef(memory)) - 1,
      async executeElsewhere(_op, outputs, counts) {
        if (!looking) return;
        await nextTurn();
        collect();
        lost.push(...[outputs, counts].map((address) => lent[address]?.deref() === undefined));
      },
      TF_TensorByteSize: () => 4,
      TF_TensorType: () => TYPES.TF_FLOAT,
    };
    const library = new Proxy(answers, { get: (target, name) => Reflect.get(target, name) ?? (() => 1) }) as Library;
    const { broadcast } = createCollectives(library, { pointer: 1, check: () => undefined }, 1, { rank: 0, size: 2 });
    // Only code that has run often is compiled, and compiled code forgets what it uses no more.
    for (let i = 0; i < 20_000; i++) await broadcast(Float32Array.of(1), 1, 60);
    looking = true;
    await broadcast(Float32Array.of(1), 1, 60);
    expect(lost).toEqual([false, false]);
  });
});
