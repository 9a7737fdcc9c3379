import { describe, expect, it } from 'vitest';
import { encodeConfig } from './context.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('encodeConfig', () => {
  // Read back by TensorFlow's own `ConfigProto.FromString`.
  it('writes threads, no GPU, and a share of its memory', () => {
    expect(hex(encodeConfig({}))).toBe('32022001');
    expect(hex(encodeConfig({ threads: 2 }))).toBe('1002280232022001');
    expect(hex(encodeConfig({ gpu: false }))).toBe('0a070a03475055100032022001');
    expect(hex(encodeConfig({ gpuMemoryFraction: 0.5 }))).toBe('320b09000000000000e03f2001');
  });
});
