// The whole program, tiny.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { findTensorflow } from '@moe/backend/node';
import { describe, expect, it } from 'vitest';

interface Outcome {
  readonly code: number | string | null | undefined;
  readonly out: string;
  readonly err: string;
}

function start(...args: string[]): Promise<Outcome> {
  const command = ['--conditions=@moe/source', '--import', 'tsx', join(import.meta.dirname, 'main.ts'), ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { timeout: 100_000 }, (error, out, err) => resolve({ code: error === null ? 0 : error.code, out, err }));
  });
}

describe('the data-parallel program', () => {
  // A cluster is TensorFlow's: `pnpm backend install tensorflow`.
  it.skipIf(findTensorflow() === undefined)('trains on two processes as on one', async () => {
    const { code, out, err } = await start('--workers', '2', '--images', '256', '--batch-size', '64', '--epochs', '1');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^2 workers, epoch 1 of 1: loss on those of the first \d\.\d{4}\n1 process, epoch 1 of 1: loss on all images \d\.\d{4}\nLargest distance of a weight between 2 workers and one process: \d(\.\d)?e[-+]\d of its length\.\n$/);
  });

  it.each([
    [['--workers', '3', '--batch-size', '64'], '--batch-size must be a multiple of --workers 3, got 64.'],
    [['--epochs', 'two'], '--epochs must be a whole number from 1 to 1000, got two.'],
    [['--worker', '2'], "Unknown option '--worker'"],
  ])('refuses %j', async (args, message) => {
    const { code, err } = await start(...args);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});
