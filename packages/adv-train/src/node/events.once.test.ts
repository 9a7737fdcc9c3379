import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainEvent } from '../events.js';
import { linearModel } from '../testing/models.js';
import { memoryStore } from '../testing/store.js';
import { tinyRun } from '../testing/tiny-run.js';
import type { TrainOptions } from '../train-options.js';
import { encodeEvent } from './event-proto.js';
import { jsonLineEvents } from './json-lines.js';
import { tensorBoardEvents } from './tensor-board.js';
import { crc32c, tfRecord } from './tf-record.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moe-events-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Two epochs of three steps. */
async function run(changes: Partial<TrainOptions>): Promise<void> {
  const target = linearModel([1, -1, 1, 0], 0.5);
  try {
    await tinyRun(target, changes);
  } finally {
    target.dispose();
  }
}

/** Writes to `onEvent` a run that stops after five steps, the last two of which no checkpoint has, and its continuation. */
async function interrupted(make: () => (event: TrainEvent) => Promise<void>): Promise<void> {
  const checkpoint = memoryStore();
  const first = make();
  let steps = 0;
  const failing = async (event: TrainEvent): Promise<void> => {
    await first(event);
    if (event.type === 'step' && ++steps === 5) throw new Error('killed');
  };
  await expect(run({ checkpoint, onEvent: failing })).rejects.toThrow('killed');
  await run({ checkpoint, onEvent: make() });
}

describe('tfRecord', () => {
  it('has the published checksums', () => {
    // Check value of CRC-32C; 32 zeros from RFC 3720, B.4.
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  });

  it('is length, checksum, data, checksum', () => {
    const record = tfRecord(Uint8Array.of(7, 8));
    expect(record).toHaveLength(18);
    expect(Array.from(record.subarray(0, 8))).toEqual([2, 0, 0, 0, 0, 0, 0, 0]);
    expect(Array.from(record.subarray(12, 14))).toEqual([7, 8]);
  });
});

describe('encodeEvent', () => {
  it('writes the fields of the protocol buffer, worked by hand', () => {
    // 1: double 1; 2: varint 300; 5: { 1: { 1: "a", 2: float 1 } }
    expect(Array.from(encodeEvent(1, 300, { scalars: { a: 1 } }))).toEqual([9, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 16, 0xac, 2, 42, 10, 10, 8, 10, 1, 97, 21, 0, 0, 0x80, 0x3f]);
    expect(Array.from(encodeEvent(1, 0, { restart: true })).slice(-4)).toEqual([58, 2, 8, 1]);
  });
});

describe('jsonLineEvents', () => {
  it('has a line for every step and epoch', async () => {
    const path = join(folder, 'new', 'whole.jsonl');
    await run({ onEvent: jsonLineEvents(path) });
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line) as TrainEvent);
    expect(lines.map(({ type }) => type)).toEqual(['step', 'step', 'step', 'epoch', 'step', 'step', 'step', 'epoch']);
    expect(lines[0]).toMatchObject({ epoch: 0, step: 0, steps: 3, learningRate: 0.1 });
  });

  it('has after an interruption what it has without', async () => {
    const [path, other] = [join(folder, 'resumed.jsonl'), join(folder, 'straight.jsonl')];
    await interrupted(() => jsonLineEvents(path));
    await run({ checkpoint: memoryStore(), onEvent: jsonLineEvents(other) });
    expect(await readFile(path, 'utf8')).toBe(await readFile(other, 'utf8'));
  });
});

// Any Python with the package tensorboard, for the reader of its own.
const PYTHON = process.env['MOE_BENCH_PYTHON'] ?? 'python3';
const READER = 'from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as A';
const hasTensorBoard = spawnSync(PYTHON, ['-c', READER]).status === 0;

describe('tensorBoardEvents', () => {
  it('writes each part to one file of whole records', async () => {
    const board = join(folder, 'board');
    await run({ onEvent: tensorBoardEvents(board) });
    for (const [part, records] of [['step', 7], ['epoch', 3]] as const) {
      const [file = '', ...others] = await readdir(join(board, part));
      expect(others).toEqual([]);
      const bytes = await readFile(join(board, part, file));
      let count = 0;
      for (let at = 0; at < bytes.length; count++) at += Number(bytes.readBigUInt64LE(at)) + 16;
      expect(count).toBe(records);
    }
  });

  it.skipIf(!hasTensorBoard)('is read by TensorBoard, which drops what a resumed run says again (needs Python with tensorboard)', async () => {
    const board = join(folder, 'resumed');
    await interrupted(() => tensorBoardEvents(board));
    const program = `${READER}
import sys, json
def read(part):
    a = A(sys.argv[1] + '/' + part); a.Reload()
    return {tag: [[e.step, e.value] for e in a.Scalars(tag)] for tag in a.Tags()['scalars']}
print(json.dumps({part: read(part) for part in ('step', 'epoch')}))`;
    const { stdout, stderr } = spawnSync(PYTHON, ['-c', program, board], { encoding: 'utf8' });
    expect(stdout, stderr).not.toBe('');
    const { step, epoch } = JSON.parse(stdout) as Record<'step' | 'epoch', Record<string, [number, number][]>>;
    const events: TrainEvent[] = [];
    await run({ checkpoint: memoryStore(), onEvent: (event) => void events.push(event) });
    const losses = events.flatMap((event) => (event.type === 'step' ? [Math.fround(event.loss)] : []));
    expect(step['loss']).toEqual(losses.map((loss, i) => [i, loss]));
    expect(epoch['accuracy']?.map(([at]) => at)).toEqual([0, 1]);
    expect(Object.keys(step)).toEqual(expect.arrayContaining(['terms/ce', 'terms/aux', 'learningRate', 'gradientNorm']));
  });
});
