import { createRng } from '@moe/core';
import { pgd } from '@moe/attacks';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { decodeTensors, encodeTensors } from './checkpoint/tensor-file.js';
import { loadWeights, saveWeights } from './checkpoint/weights.js';
import type { TrainEvent } from './events.js';
import type { EpochRecord } from './history.js';
import { pgdAdversarial } from './objectives/pgd-adversarial.js';
import { standard } from './objectives/standard.js';
import { adam } from './optimizers/adam.js';
import { sgd } from './optimizers/sgd.js';
import { cosine } from './schedules/cosine.js';
import { tinyBatches } from './testing/data.js';
import { linearModel, moeMlp } from './testing/models.js';
import { memoryStore } from './testing/store.js';
import { train } from './train.js';
import type { TrainOptions } from './train-options.js';

const EPOCHS = 2;
const STEPS = 3;

type Changes = Partial<TrainOptions>;
interface Outcome {
  readonly values: Record<string, number[]>;
  readonly epochs: readonly EpochRecord[];
}

/** Trains a model that starts anywhere, so that only the checkpoint can bring the weights of the interrupted run. */
async function run(modelSeed: number, changes: Changes): Promise<Outcome> {
  const target = moeMlp(modelSeed);
  try {
    const { history } = await train({
      model: target.model,
      weights: target.weights,
      data: tinyBatches(12, 4),
      batchesPerEpoch: STEPS,
      epochs: EPOCHS,
      objective: pgdAdversarial({ attack: pgd({ eps: 0.1, steps: 2, goal: 'maxLoss' }), batchNorm: 'batch-updating' }),
      optimizer: sgd({ momentum: 0.9, nesterov: true, weightDecay: 5e-4 }),
      schedule: cosine({ base: 0.1, per: 'step' }),
      seed: 5,
      ...changes,
    });
    return { values: target.values(), epochs: history.epochs };
  } finally {
    target.dispose();
  }
}

/** Stops after a number of steps of this call. */
function stopAfter(steps: number): Changes {
  const controller = new AbortController();
  let done = 0;
  return { signal: controller.signal, onEvent: ({ type }: TrainEvent) => void (type === 'step' && ++done === steps && controller.abort()) };
}

describe('train, resumed', () => {
  it.each([
    ['sgd', { optimizer: sgd({ momentum: 0.9, nesterov: true, weightDecay: 5e-4 }) }],
    ['adam', { optimizer: adam({ weightDecay: 1e-3 }), objective: standard() }],
  ])('is bit for bit the run that nobody stopped, with %s, after any step', async (_, changes) => {
    const whole = await run(1, changes);
    for (let step = 1; step < EPOCHS * STEPS; step++) {
      const checkpoint = memoryStore();
      await expect(run(1, { ...changes, checkpoint, ...stopAfter(step) }), `stopped after ${step}`).rejects.toMatchObject({ code: 'ABORTED' });
      const resumed = await run(99, { ...changes, checkpoint });
      expect(resumed, `stopped after ${step}`).toEqual(whole);
    }
  });

  it('is the same from every checkpoint that a killed run may have left, and after several interruptions', async () => {
    const checkpoint = memoryStore();
    const whole = await run(1, { checkpoint, checkpointEvery: 1 });
    expect(checkpoint.written).toHaveLength(EPOCHS * STEPS);
    for (const bytes of checkpoint.written) expect(await run(99, { checkpoint: memoryStore(bytes) })).toEqual(whole);
    const often = memoryStore();
    for (let call = 0; call < EPOCHS * STEPS - 1; call++) await expect(run(call === 0 ? 1 : 99, { checkpoint: often, ...stopAfter(1) })).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await run(99, { checkpoint: often })).toEqual(whole);
  });

  it('returns at once from the checkpoint of a finished run', async () => {
    const checkpoint = memoryStore();
    const whole = await run(1, { checkpoint });
    const events: TrainEvent[] = [];
    expect(await run(99, { checkpoint, onEvent: (event) => void events.push(event) })).toEqual(whole);
    expect(events).toEqual([{ type: 'resume', epoch: EPOCHS, step: 0 }]);
  });

  it('writes the same bytes for the same run', async () => {
    const [a, b] = [memoryStore(), memoryStore()];
    await run(1, { checkpoint: a });
    await run(1, { checkpoint: b });
    expect(a.written.at(-1)).toEqual(b.written.at(-1));
  });
});

describe('train, with a checkpoint of something else', () => {
  const saved = async (): Promise<Uint8Array> => {
    const checkpoint = memoryStore();
    await run(1, { checkpoint });
    return checkpoint.written[0]!;
  };

  it.each<[string, Changes, string]>([
    ['another seed', { seed: 6 }, 'seed is 5 in the checkpoint and 6 now'],
    ['another length', { epochs: 3 }, 'epochs is 2 in the checkpoint and 3 now'],
    ['another objective', { objective: standard() }, 'objective.name is "pgd-adversarial" in the checkpoint and "standard" now'],
    [
      'another attack',
      { objective: pgdAdversarial({ attack: pgd({ eps: 0.2, steps: 2, goal: 'maxLoss' }), batchNorm: 'batch-updating' }) },
      'objective.attack.options.eps is 0.1 in the checkpoint and 0.2 now',
    ],
    ['another optimiser', { optimizer: sgd({ momentum: 0.9, nesterov: true }) }, 'optimizer.weightDecay is 0.0005 in the checkpoint and 0 now'],
    ['another schedule', { schedule: cosine({ base: 0.2, per: 'step' }) }, 'schedule.base is 0.1 in the checkpoint and 0.2 now'],
    ['another identity', { identity: { data: 'cifar' } }, 'identity.data is nothing in the checkpoint and "cifar" now'],
  ])('refuses %s by name', async (_, changes, message) => {
    const error = run(1, { checkpoint: memoryStore(await saved()), ...changes });
    await expect(error).rejects.toMatchObject({ code: 'CHECKPOINT' });
    await expect(error).rejects.toThrow(message);
    await expect(error).rejects.toThrow('delete this one to start over');
  });

  it('refuses another model and leaves its weights alone', async () => {
    const target = linearModel([1, 2, 3, 4], 0);
    const before = target.values();
    const resumed = run(1, { checkpoint: memoryStore(await saved()), model: target.model, weights: target.weights });
    await expect(resumed).rejects.toMatchObject({ code: 'CHECKPOINT' });
    expect(target.values()).toEqual(before);
    target.dispose();
  });

  it('lets only CheckpointErrors out of a damaged state, and keeps no tensor', async () => {
    const { tensors, metadata } = decodeTensors(await saved());
    const state = metadata.state!;
    const rng = createRng(1);
    let refused = 0;
    for (let i = 0; i < 60; i++) {
      const at = rng.at(i).integers(1, state.length)[0]!;
      const damaged = encodeTensors({ tensors, metadata: { ...metadata, state: `${state.slice(0, at)}x${state.slice(at + 1)}` } });
      await expectTensorsKept(0, () => run(1, { checkpoint: memoryStore(damaged) }).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'CHECKPOINT' });
        refused++;
      }));
    }
    expect(refused).toBeGreaterThan(40);
    const without = tensors.filter(({ name }) => name !== 'optimizer/momentum/in/kernel');
    await expect(run(1, { checkpoint: memoryStore(encodeTensors({ tensors: without, metadata })) })).rejects.toThrow("'optimizer/momentum/in/kernel' must have 32 float32 values");
    await expect(run(1, { checkpoint: memoryStore(encodeTensors({ tensors, metadata: {} })) })).rejects.toThrow("must have format 'moe-train-2'");
  });
});

describe('loadWeights', () => {
  it('sets what saveWeights saved, statistics included', async () => {
    const [from, to] = [moeMlp(1), moeMlp(2)];
    const bytes = await saveWeights(from.weights);
    expectTensorsKept(0, () => loadWeights(to.weights, bytes));
    expect(to.values()).toEqual(from.values());
    expect(decodeTensors(bytes).tensors.map(({ name }) => name)).toEqual(from.weights.map(({ name }) => name));
    from.dispose();
    to.dispose();
  });

  it('names the first weight that does not fit and changes nothing', async () => {
    const [mlp, small, large] = [moeMlp(1), linearModel([1, 2], 3), linearModel([1, 2, 3], 4)];
    const before = small.values();
    const load = async (file: typeof mlp): Promise<void> => loadWeights(small.weights, await saveWeights(file.weights));
    await expect(load(mlp)).rejects.toThrow("loadWeights: the file has no weight 'w'");
    await expect(load(large)).rejects.toThrow("weight 'w' must have shape [2,1], got [3,1] in the file");
    const more = encodeTensors({ ...decodeTensors(await saveWeights(small.weights)), tensors: [...decodeTensors(await saveWeights(small.weights)).tensors, { name: 'c', shape: [], data: Float32Array.of(1) }] });
    expect(() => loadWeights(small.weights, more)).toThrow("the model has no weight 'c'");
    expect(small.values()).toEqual(before);
    for (const model of [mlp, small, large]) model.dispose();
  });
});
