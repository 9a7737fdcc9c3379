// Where the engine is installed: `pnpm backend install tensorflow`.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backend, complex, memory, tensor, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { useBackend } from '../../use-backend.js';
import type { Binding } from '../binding.js';
import { findTensorflow } from '../installation.js';
import { loadSavedModel } from './load-saved-model.js';
import { writeSavedModel } from './test-saved-model.js';

const folder = mkdtempSync(join(tmpdir(), 'moe-saved-model-'));
const binding = () => (backend() as unknown as { readonly binding: Binding }).binding;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(findTensorflow() === undefined)('loadSavedModel (skipped unless `pnpm backend install tensorflow` was run)', () => {
  it('needs the engine', async () => {
    await expect(loadSavedModel(folder)).rejects.toThrow("the engine 'tensorflow' must run");
  });

  describe('with the engine', () => {
    beforeAll(async () => {
      writeSavedModel(folder);
      await useBackend('tensorflow');
    });

    it('runs a function of one tensor, for any number of rows', async () => {
      const model = await loadSavedModel(folder);
      expect([model.inputs, model.outputs]).toEqual([{ float: { dtype: 'float32', shape: [null, 2] } }, { float: { dtype: 'float32', shape: [null, 2] } }]);
      tidy(() => {
        expect(model.predict(tensor2d([[1, 2.5]])).arraySync()).toEqual([[2, 5]]);
        expect(model.predict(tensor2d([[1, 2], [3, 4]])).arraySync()).toEqual([[2, 4], [6, 8]]);
        expect(model.predict({ float: tensor2d([[1, 2]]) })['float']!.arraySync()).toEqual([[2, 4]]);
      });
      model.dispose();
    });

    it('takes and gives every type, int64 as 64 bits and without a word', async () => {
      const warn = vi.spyOn(console, 'warn');
      const model = await loadSavedModel(folder, { signature: 'all' });
      const long = 'a string that does not fit into the 22 bytes of a short one';
      tidy(() => {
        const y = model.predict({
          float: tensor2d([[1, 2]]),
          double: tensor2d([[0.25, 2]]),
          int: tensor2d([[3, -4]], [1, 2], 'int32'),
          long: tensor2d([[100_000, -3]], [1, 2], 'int32'),
          bytes: tensor2d([[1, 100]], [1, 2], 'int32'),
          complex: complex([[1, 2]], [[3, -4]]),
          bool: tensor([[1, 0]], [1, 2], 'bool'),
          string: tensor([['', long]]),
        });
        expect(Object.fromEntries(Object.entries(y).map(([name, t]) => [name, [t.dtype, t.shape, Array.from<unknown>(t.dataSync())]]))).toEqual({
          float: ['float32', [1, 2], [2, 4]],
          double: ['float32', [1, 2], [0.5, 4]],
          int: ['int32', [1, 2], [6, -8]],
          long: ['int32', [1, 2], [10_000_000_000n, 9n]],
          bytes: ['int32', [1, 2], [2, 200]],
          complex: ['complex64', [1, 2], [1, -3, 2, 4]],
          bool: ['bool', [1, 2], [0, 1]],
          string: ['string', [1, 2], ['', long + long]],
        });
      });
      model.dispose();
      expect(warn).not.toHaveBeenCalled();
    });

    it('keeps nothing, also when it throws, and is gone once it is disposed', async () => {
      const before = { tensors: memory().numTensors, handles: binding().getNumOfTensors() };
      const model = await loadSavedModel(folder, { signature: 'all' });
      const one = await loadSavedModel(folder);
      tidy(() => {
        const x = tensor2d([[1, 2]]);
        expect(() => model.predict(x)).toThrow(/predict: inputs must be tensors by name, for this model has the inputs bool, bytes, /);
        expect(() => model.predict({ float: x })).toThrow('predict: inputs must be tensors for bool, bytes');
        expect(() => one.predict({ flot: x })).toThrow('predict: inputs must be tensors for float, got [flot]');
        expect(() => one.predict(tensor([['a', 'b']]))).toThrow('predict: the type of float must fit float32, got \'string\'');
        one.predict(x);
      });
      model.dispose();
      one.dispose();
      one.dispose();
      expect(() => one.predict(tensor2d([[1, 2]]))).toThrow('it was disposed');
      expect(binding().getNumOfSavedModels()).toBe(0);
      expect({ tensors: memory().numTensors, handles: binding().getNumOfTensors() }).toEqual({ ...before, tensors: before.tensors + 1 });
    });

    it('says what is missing: the folder, the tags, the signature', async () => {
      await expect(loadSavedModel(join(folder, 'nowhere'))).rejects.toThrow(/folder must hold a saved_model\.pb, got .*nowhere/);
      await expect(loadSavedModel(folder, { tags: ['train', 'gpu'] })).rejects.toThrow(/loadSavedModel: Could not find meta graph def matching supplied tags: \{ (train gpu|gpu train) \}/);
      await expect(loadSavedModel(folder, { signature: 'serve' })).rejects.toThrow("loadSavedModel: signature must be one of 'all', 'serving_default', got 'serve'.");
      await expect(loadSavedModel(folder, { tag: 'serve' } as object)).rejects.toThrow("unknown option 'tag'");
      expect(binding().getNumOfSavedModels()).toBe(0);
    });
  });
});
