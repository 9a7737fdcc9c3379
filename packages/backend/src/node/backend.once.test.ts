// The shorter ways of the engine tensorflow and through tfjs' own, where it is installed: `pnpm backend install tensorflow`.
import { setImmediate } from 'node:timers/promises';
import { type Tensor, add, engine, keep, memory, profile, registerKernel, relu, setBackend, square, tensor, tidy, unregisterKernel } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { useBackend } from '../use-backend.js';
import { createBinding } from './binding.js';
import { createContext } from './context.js';
import { findTensorflow } from './installation.js';
import { type Library, loadLibrary } from './library.js';
import { createStatus } from './status.js';

const normal = (shape: number[], seed: number): Tensor => tensor(createRng(seed).normal(shape.reduce((a, b) => a * b, 1)), shape);
const run = (name: string, inputs: Record<string, Tensor>): Tensor => engine().runKernel(name, inputs) as Tensor;
const describeTensor = (t: Tensor) => ({ shape: t.shape, dtype: t.dtype, values: Array.from(t.dataSync(), (value) => Number(value.toPrecision(5))) });

describe.skipIf(findTensorflow() === undefined)('the shorter ways of tensorflow (skipped unless `pnpm backend install tensorflow` was run)', () => {
  beforeEach(async () => {
    await useBackend('tensorflow');
  });

  const UNARY = ['Abs', 'Exp', 'Log', 'Neg', 'Relu', 'Rsqrt', 'Sigmoid', 'Sqrt', 'Square', 'Tanh'];
  const BINARY = ['Add', 'Maximum', 'Minimum', 'Multiply', 'RealDiv', 'SquaredDifference', 'Sub'];
  it.each([...UNARY, ...BINARY])('has the values, shapes and types of cpu: %s', async (name) => {
    const pairs = [[[3, 2], [3, 2]], [[3, 2], []], [[], [3, 2]], [[3, 2], [2]], [[3, 1], [1, 2]], [[], []], [[0, 2], [0, 2]]] as [number[], number[]][];
    const calls = (): Tensor[] =>
      UNARY.includes(name)
        ? pairs.map(([shape]) => run(name, { x: normal(shape, 1) }))
        : pairs.flatMap(([a, b]) => [run(name, { a: normal(a, 1), b: normal(b, 2) }), ...(name === 'RealDiv' ? [] : [run(name, { a: normal(a, 1).toInt(), b: normal(b, 2).toInt() })])]);
    const described = () => tidy(() => calls().map(describeTensor));
    await setBackend('cpu');
    const expected = described();
    await setBackend('tensorflow');
    expect(described()).toEqual(expected);
  });

  it('lets the inputs of the last operation go when the turn is over, once', async () => {
    const library = await loadLibrary(findTensorflow()!.libraries);
    const status = createStatus(library);
    const names: unknown[] = [];
    const watched: Library = {
      ...library,
      TFE_OpReset: (...args) => {
        names.push(args[1]);
        return library.TFE_OpReset(...args);
      },
    };
    const binding = createBinding(watched, status, createContext(library, status, {}));
    const x = binding.createTensor([2], binding.TF_FLOAT, Float32Array.of(3, 4));
    const squares = Array.from({ length: 2 }, () => binding.executeOp('Square', [], [x], 1)[0]!);
    expect(names).toEqual(['Square', 'Square']);
    await setImmediate();
    await setImmediate();
    expect(names).toEqual(['Square', 'Square', 'NoOp']);
    expect(squares.map(({ id }) => binding.tensorDataSync(id))).toEqual([Float32Array.of(9, 16), Float32Array.of(9, 16)]);
    for (const id of [x, ...squares.map((result) => result.id)]) binding.deleteTensor(id);
    expect(binding.getNumOfTensors()).toBe(0);
  });

  it('finds kernels that are registered, replaced or taken out between two calls, of the engine that runs', async () => {
    const x = tensor([1, 2]);
    const register = (backendName: string, name: string) => registerKernel({ kernelName: 'Ours', backendName, kernelFunc: ({ inputs }) => run(name, { x: inputs['x'] as Tensor }) });
    const call = () => tidy(() => Array.from(run('Ours', { x }).dataSync()));
    expect(call).toThrow("Kernel 'Ours' not registered");
    register('tensorflow', 'Square');
    expect(call()).toEqual([1, 4]);
    unregisterKernel('Ours', 'tensorflow');
    register('tensorflow', 'Neg');
    expect(call()).toEqual([-1, -2]);
    register('cpu', 'Square');
    await setBackend('cpu');
    expect(call()).toEqual([1, 4]);
    unregisterKernel('Ours', 'cpu');
    unregisterKernel('Ours', 'tensorflow');
    expect(call).toThrow("Kernel 'Ours' not registered");
    x.dispose();
  });

  it('goes on after a kernel that throws, and tells the profiler of kernels', async () => {
    const [x, y] = [tensor([1, 2]), tensor([1, 2, 3])];
    expectTensorsKept(0, () => expect(() => add(x, y)).toThrow());
    expect(engine().state).toMatchObject({ kernelDepth: 0, scopeStack: [], activeScope: null });
    const { kernelNames, newTensors } = await profile(() => add(x, x));
    expect({ kernelNames, newTensors }).toEqual({ kernelNames: ['Add'], newTensors: 1 });
    [x, y].forEach((t) => t.dispose());
  });

  it('keeps the rules of tidy: results move up one scope, what came from outside or is kept stays', () => {
    const outside = tensor([1, -2]);
    const before = memory().numTensors;
    const kept: Tensor[] = [];
    const result = tidy(() => {
      const inner = tidy(() => {
        kept.push(keep(relu(outside)));
        return square(add(outside, 1));
      });
      expect(tidy(() => outside)).toBe(outside);
      expect(tidy(() => kept[0]!)).toBe(kept[0]);
      return add(inner, inner);
    });
    expect(memory().numTensors).toBe(before + 2);
    expect([result, outside, kept[0]!].map((t) => Array.from(t.dataSync()))).toEqual([[8, 2], [1, -2], [1, 0]]);
    [result, outside, ...kept].forEach((t) => t.dispose());
  });
});
