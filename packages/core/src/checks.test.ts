import { tensor1d, tensor2d, tidy, zeros } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { expectArgument, expectInteger, expectKnownKeys, expectLabels, expectNumber, expectOneOf, expectShape, throwIfAborted } from './checks.js';
import { ArgumentError, MoeError, isMoeError } from './errors.js';

describe('expectShape', () => {
  it('binds letters across tensors and calls', () => {
    tidy(() => {
      const { B, M } = expectShape('f', { logits: zeros([4, 10]) }, ['B', 'M']);
      expect([B, M]).toEqual([4, 10]);
      expect(() => expectShape('f', { labels: zeros([3]) }, ['B'], { B })).toThrow('f: labels must have shape [B] with B = 4, got [3].');
      expect(() => expectShape('f', { a: zeros([2, 3]), b: zeros([2, 4]) }, ['T', 'E'])).toThrow('f: b must have shape [T,E] with E = 3, got [2,4].');
      expect(() => expectShape('f', { x: zeros([2, 2, 2]) }, ['B', 'M'])).toThrow('f: x must have shape [B,M], got [2,2,2].');
      expect(() => expectShape('f', { x: zeros([2, 2, 4]) }, ['B', '*', 3])).toThrow('f: x must have shape [B,*,3], got [2,2,4].');
      expect(() => expectShape('f', { square: zeros([2, 3]) }, ['N', 'N'])).toThrow('with N = 2');
    });
  });
});

describe('argument checks', () => {
  it('name caller, argument, rule, value and remedy', () => {
    expect(() => expectArgument('pgd', 'eps', false, 'be ≥ 0', -1, 'Use 8/255.')).toThrow('pgd: eps must be ≥ 0, got -1. Use 8/255.');
    expect(() => expectInteger('pgd', 'steps', 1.5, 0)).toThrow('pgd: steps must be an integer ≥ 0, got 1.5.');
    expect(() => expectNumber('pgd', 'eps', NaN, 0)).toThrow('pgd: eps must be a finite number ≥ 0, got NaN.');
    expect(() => expectOneOf('pgd', 'norm', 'L3' as string, ['L2', 'Linf'])).toThrow("pgd: norm must be one of 'L2', 'Linf', got 'L3'.");
    expect(() => expectKnownKeys('pgd', { epsilon: 1 }, ['eps', 'steps'])).toThrow("pgd: unknown option 'epsilon'. Did you mean 'eps'?");
    expect(() => expectKnownKeys('pgd', { foo: 1 }, ['eps', 'steps'])).toThrow("pgd: unknown option 'foo'. Known options: eps, steps.");
  });

  it('accept what is allowed', () => {
    expectInteger('f', 'n', 3, 1, 3);
    expectNumber('f', 'x', 0, 0, 1);
    expectOneOf('f', 'norm', 'L2', ['L2']);
    expectKnownKeys('f', { eps: 1 }, ['eps']);
    throwIfAborted('f', undefined);
    throwIfAborted('f', new AbortController().signal);
  });

  it('check labels by dtype and range, with the place of the first wrong one', () => {
    tidy(() => {
      expectLabels('f', tensor1d([0, 9], 'int32'), 10);
      expect(() => expectLabels('f', tensor1d([0, 10], 'int32'), 10)).toThrow('f: labels[1] must be a class index in [0, 10), got 10.');
      expect(() => expectLabels('f', tensor2d([[1, 0]]), 2)).toThrow("f: labels must have dtype 'int32', got 'float32'. Pass class indices, not one-hot rows.");
    });
  });

  it('turn an abort into an AbortedError with its cause', () => {
    const reason = new Error('stop');
    try {
      throwIfAborted('evaluate', AbortSignal.abort(reason));
      expect.unreachable();
    } catch (error) {
      expect(isMoeError(error, 'ABORTED')).toBe(true);
      expect((error as Error).cause).toBe(reason);
    }
  });
});

describe('isMoeError', () => {
  it('recognises marked errors only, by code if asked', () => {
    const error = new ArgumentError('x');
    expect([isMoeError(error), isMoeError(error, 'ARGUMENT'), isMoeError(error, 'SHAPE')]).toEqual([true, true, false]);
    expect([isMoeError(new Error('x')), isMoeError(null), isMoeError('x')]).toEqual([false, false, false]);
    expect(error.name).toBe('ArgumentError');
    expect(new MoeError('BACKEND', 'y').message).toBe('y');
  });

  it('recognises an error of another copy of the package', () => {
    const foreign = Object.assign(new Error('x'), { code: 'SHAPE', [Symbol.for('moe.error')]: true });
    expect(isMoeError(foreign, 'SHAPE')).toBe(true);
  });
});
