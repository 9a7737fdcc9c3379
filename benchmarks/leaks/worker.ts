// One process of `pnpm bench leaks`: repeats one subject and prints what it holds after the warm-up, and from then on after every tenth of the steps.
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { useBackend } from '@moe/backend';
import { backend, enableProdMode, memory } from '@tensorflow/tfjs-core';
import { SUBJECTS, type SubjectName } from './subjects.js';

/** What the process holds: bytes, and numbers of tensors, handles of TensorFlow. */
export type Holdings = Readonly<Record<'memory' | 'javascript' | 'tensors' | 'handles', number>>;

/** Lets finalizers run, too. */
async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await nextTurn();
  }
}

/** Bytes of memory that belong to this process alone, be they swapped out or not. Pages of files that are mapped come and go as the machine pleases. */
function ownMemory(): number {
  if (process.platform !== 'linux') return process.memoryUsage().rss;
  const kibibytes = Array.from(readFileSync('/proc/self/status', 'utf8').matchAll(/^(?:RssAnon|VmSwap):\s+(\d+) kB$/gm), ([, value]) => Number(value));
  return 1024 * kibibytes.reduce((sum, value) => sum + value, 0);
}

async function holdings(): Promise<Holdings> {
  await collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  const { binding } = backend() as unknown as { readonly binding: { getNumOfTensors(): number } };
  return { memory: ownMemory(), javascript: heapUsed + external, tensors: memory().numTensors, handles: binding.getNumOfTensors() };
}

enableProdMode();
await useBackend('tensorflow', { threads: 1 });
const { step, close } = await SUBJECTS[process.argv[2] as SubjectName]() as { step: () => unknown; close?: () => Promise<void> };
const [warmUp, steps] = process.argv.slice(3).map(Number) as [number, number];
const found: Holdings[] = [];
for (let i = 1 - warmUp; i <= steps; i++) {
  await step();
  if (i >= 0 && i % (steps / 10) === 0) found.push(await holdings());
}
await close?.();
console.log(JSON.stringify(found));
process.exit(0);
