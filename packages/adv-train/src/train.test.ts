import { memory } from '@tensorflow/tfjs-core';
import { type Batch, type ForwardOptions, type MoeModel } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import type { TrainEvent } from './events.js';
import { sgd } from './optimizers/sgd.js';
import { oneBatch, tinyBatches } from './testing/data.js';
import { type TestModel, linearModel, moeMlp } from './testing/models.js';
import { tinyRun } from './testing/tiny-run.js';
import type { TrainOptions } from './train-options.js';

/** Runs with a fresh model that is disposed afterwards, also when the run fails. */
async function withModel<R>(make: () => TestModel, fn: (target: TestModel) => Promise<R>): Promise<R> {
  const target = make();
  try {
    return await fn(target);
  } finally {
    target.dispose();
  }
}

describe('train', () => {
  it('takes one step of the logistic loss, worked by hand', () =>
    withModel(
      () => linearModel([1, -1], 0.5),
      async (target) => {
        // x = (1, 2), label 0: f = 1 − 2 + .5 = −.5, dCE/df = σ(−.5) = .37754; w ← w − .1·.37754·x, b ← .5 − .037754
        const { history } = await tinyRun(target, { data: oneBatch([1, 2], [0]), batchesPerEpoch: 1, epochs: 1, optimizer: sgd() });
        expect(target.values().w).toBeAllClose([1 - 0.037754, -1 - 0.075508]);
        expect(target.values().b).toBeAllClose([0.5 - 0.037754]);
        expect(history.epochs[0]!.loss).toBeAllClose(Math.log(1 + Math.exp(-0.5)));
        expect(history.epochs[0]!.accuracy).toBe(1);
      },
    ));

  it('adds the balance loss, as it is, to the cross-entropy, and moves the router by it', () =>
    withModel(
      () => moeMlp(1),
      async (target) => {
        const steps: TrainEvent[] = [];
        const { history } = await tinyRun(target, { onEvent: (event) => void (event.type === 'step' && steps.push(event)) });
        for (const step of steps) {
          if (step.type !== 'step') continue;
          expect(step.terms.aux).toBeWithin(0.1 / 3, 0.1); // .1 · Σ P², between uniform and collapsed
          expect(step.loss).toBeAllClose(step.terms.ce! + step.terms.aux!);
        }
        const [first] = history.epochs;
        expect(first!.loss).toBeAllClose(first!.terms.ce! + first!.terms.aux!);
        expect(first!.routing[0]!.auxLoss).toBeAllClose(first!.terms.aux!);
      },
    ));

  it('records for each layer the share of rows per expert and the mean gate', () =>
    withModel(
      () => moeMlp(2),
      async (target) => {
        const { history } = await tinyRun(target);
        for (const { routing, examples } of history.epochs) {
          expect(examples).toBe(12);
          const [{ layer, usage, meanGate, droppedFraction } = { layer: '', usage: [], meanGate: [], droppedFraction: 1 }] = routing;
          expect(layer).toBe('moe');
          expect(usage.reduce((a, b) => a + b)).toBeAllClose(1);
          usage.forEach((share) => expect(share * 12).toBe(Math.round(share * 12)));
          expect(meanGate.reduce((a, b) => a + b)).toBeAllClose(1);
          expect(droppedFraction).toBe(0);
        }
      },
    ));

  it('averages over examples, not over batches', () =>
    withModel(
      () => linearModel([3, -2, 1, 0], 0),
      async (target) => {
        // 12 rows in batches of 5, 5 and 2.
        const losses: number[] = [];
        const { history } = await tinyRun(target, { data: tinyBatches(12, 5), epochs: 1, onEvent: (event) => void (event.type === 'step' && losses.push(event.loss)) });
        expect(history.epochs[0]!.loss).toBeAllClose((5 * losses[0]! + 5 * losses[1]! + 2 * losses[2]!) / 12);
      },
    ));

  it('neither decays nor moves an expert that no row of the step used', () =>
    withModel(
      () => moeMlp(3),
      async (target) => {
        const snapshots: Record<string, number[]>[] = [target.values()];
        const used: boolean[][] = [];
        const spy: MoeModel = {
          ...target.model,
          forward: (inputs, options) => {
            const result = target.model.forward(inputs, options);
            const weights = result.routing[0]!.combineWeights.arraySync();
            used.push([0, 1, 2].map((e) => weights.some((row) => row[e]! > 0)));
            return result;
          },
        };
        await tinyRun(target, { model: spy, data: tinyBatches(16, 1), batchesPerEpoch: 16, epochs: 1, onEvent: (event) => void (event.type === 'step' && snapshots.push(target.values())) });
        let skippedAfterUse = 0;
        used.forEach((experts, step) =>
          experts.forEach((isUsed, e) => {
            const moved = snapshots[step]![`moe/expert${e}`]!.some((value, i) => value !== snapshots[step + 1]![`moe/expert${e}`]![i]);
            expect(moved, `step ${step}, expert ${e}`).toBe(isUsed);
            // Its momentum is not zero then, so that an update with a zero gradient would show.
            if (!isUsed && used.slice(0, step).some((earlier) => earlier[e])) skippedAfterUse++;
          }),
        );
        expect(skippedAfterUse).toBeGreaterThan(0);
      },
    ));

  it('passes training mode and, for each step, another stream of noise that the seed decides', () =>
    withModel(
      () => moeMlp(4),
      async (target) => {
        const calls: ForwardOptions[] = [];
        const draws: number[] = [];
        const spy: MoeModel = {
          ...target.model,
          forward: (inputs, options = {}) => {
            calls.push(options);
            draws.push(options.rng!.stream('probe').uniform(1)[0]!);
            return target.model.forward(inputs, options);
          },
        };
        await tinyRun(target, { model: spy });
        expect(calls.every(({ training }) => training)).toBe(true);
        expect(new Set(draws).size).toBe(6);
        const first = draws.splice(0);
        await tinyRun(target, { model: spy });
        expect(draws).toEqual(first);
        draws.length = 0;
        await tinyRun(target, { model: spy, seed: 4 });
        expect(draws).not.toEqual(first);
      },
    ));

  it('asks the schedule for each step and reports it', () =>
    withModel(
      () => linearModel([1, 1, 1, 1], 0),
      async (target) => {
        const asked: number[] = [];
        const schedule = { name: 'spy', options: {}, rate: (position: number, epochs: number) => (asked.push(position), position / epochs) };
        const { history } = await tinyRun(target, { schedule });
        expect(asked).toBeAllClose([0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3]);
        expect(history.epochs.map(({ learningRate }) => learningRate)).toBeAllClose([1 / 3, 5 / 6]);
      },
    ));

  it('tells what happens in order, and reads no more batches than it was told', () =>
    withModel(
      () => linearModel([1, 1, 1, 1], 0),
      async (target) => {
        const events: string[] = [];
        await tinyRun(target, { batchesPerEpoch: 2, onEvent: ({ type }) => void events.push(type) });
        expect(events).toEqual(['step', 'step', 'epoch', 'step', 'step', 'epoch']);
      },
    ));

  it('lets timers run between steps, so that it can be stopped', () =>
    withModel(
      () => linearModel([1, 1, 1, 1], 0),
      async (target) => {
        const controller = new AbortController();
        setTimeout(() => controller.abort(), 5);
        await expect(tinyRun(target, { epochs: 1e6, signal: controller.signal })).rejects.toThrow('train: aborted by the caller before epoch');
      },
    ));
});

describe('train, bad input', () => {
  const batchWith = (changes: Partial<Batch>) =>
    async function* batches() {
      for await (const batch of tinyBatches(4, 4)(0)) yield { ...batch, ...changes };
    };

  it.each<[string, Partial<TrainOptions>, string]>([
    ['an unknown option', { epoch: 2 } as never, "train: unknown option 'epoch'. Did you mean 'epochs'?"],
    ['no epochs', { epochs: 0 }, 'train: epochs must be an integer ≥ 1, got 0.'],
    ['a seed that is none', { seed: 1.5 }, 'train: seed must be an integer ≥ 0, got 1.5.'],
    ['a function in place of a model', { model: (() => 0) as never }, 'Lift a function with plainModel(fn).'],
    ['no weights', { weights: [] }, 'train: weights must have a trainable one, got 0.'],
    ['too few batches', { batchesPerEpoch: 4 }, 'train: data(0) must give batchesPerEpoch = 4 batches, got 3.'],
    ['labels out of range', { data: batchWith({ labels: Int32Array.of(0, 1, 2, 0) }) }, 'train: batch.labels[2] must be a class index in [0, 2), got 2.'],
    ['labels of another count', { data: batchWith({ labels: Int32Array.of(0) }) }, 'train: batch.labels must have 4 entries, got 1.'],
    ['inputs of another size', { data: batchWith({ inputs: new Float32Array(3) }) }, 'train: batch.inputs must have 16 values for shape [4,2,2,1], got 3.'],
    ['inputs that are NaN', { data: batchWith({ inputs: new Float32Array(16).fill(NaN) }) }, 'train: loss must be finite, got NaN (ce NaN, aux NaN) at epoch 0, step 0.'],
  ])('refuses %s and keeps no tensor', async (_, changes, message) => {
    await expectTensorsKept(0, () => withModel(() => moeMlp(5), (target) => expect(tinyRun(target, changes)).rejects.toThrow(message)));
  });

  it('refuses weights of one name', () =>
    withModel(
      () => moeMlp(5),
      ({ model, weights, values, dispose }) => {
        const twice = [...weights, weights[0]!];
        return expect(tinyRun({ model, weights: twice, values, dispose })).rejects.toThrow("train: weights must have unique names, got 'in/kernel'.");
      },
    ));

  it('leaves the weights as they were before a step whose loss is not finite', () =>
    withModel(
      () => linearModel([1, 1, 1, 1], 0),
      async (target) => {
        const before = target.values();
        const data = batchWith({ inputs: new Float32Array(16).fill(3e38) });
        await expect(tinyRun(target, { data })).rejects.toMatchObject({ code: 'NUMERICS' });
        expect(target.values()).toEqual(before);
      },
    ));
});

describe('train, memory', () => {
  it('keeps no tensor, whether it finishes, fails or is stopped', async () => {
    await expectTensorsKept(0, () => withModel(() => moeMlp(6), (target) => tinyRun(target)));
    let passes = 0;
    const failing = (target: TestModel): MoeModel => ({
      ...target.model,
      forward: (inputs, options) => {
        if (passes++ === 2) throw new Error('model broke');
        return target.model.forward(inputs, options);
      },
    });
    await expectTensorsKept(0, () => withModel(() => moeMlp(6), (target) => expect(tinyRun(target, { model: failing(target) })).rejects.toThrow('model broke')));
    const controller = new AbortController();
    const onEvent = (event: TrainEvent): void => void (event.type === 'step' && event.step === 1 && controller.abort());
    await expectTensorsKept(0, () => withModel(() => moeMlp(6), (target) => expect(tinyRun(target, { onEvent, signal: controller.signal })).rejects.toThrow('aborted')));
  });

  it('does not grow from step to step', () =>
    withModel(
      () => moeMlp(6),
      async (target) => {
        const counts = new Set<number>();
        await tinyRun(target, { onEvent: () => void counts.add(memory().numTensors) });
        expect(counts.size).toBe(1);
      },
    ));
});
