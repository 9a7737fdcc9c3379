import { describe, expect, it } from 'vitest';
import { binaryFor } from './binary-for.js';

describe('binaryFor', () => {
  it('links with a memory that grows', async () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const { instance } = await WebAssembly.instantiate(binaryFor(false), { env: { memory } });
    expect(Object.keys(instance.exports)).toContain('conv2d');
  });

  it('links with a shared memory', async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
    const { instance } = await WebAssembly.instantiate(binaryFor(true), { env: { memory } });
    (instance.exports.sign as (x: number, out: number, count: number) => void)(0, 64, 3);
    new Float32Array(memory.buffer).set([-2, 0, 5]);
    (instance.exports.sign as (x: number, out: number, count: number) => void)(0, 64, 3);
    expect([...new Float32Array(memory.buffer, 64, 3)]).toEqual([-1, 0, 1]);
  });

  it('holds no data and no memory of its own', async () => {
    const module = await WebAssembly.compile(binaryFor(false));
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: 'env', name: 'memory', kind: 'memory' }]);
    expect(WebAssembly.Module.exports(module).every(({ kind }) => kind === 'function')).toBe(true);
  });
});
