import { tensor, tensor1d } from '@tensorflow/tfjs-core';
import { pgd } from '@moe/attacks';
import type { Batch } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import type { TrainEvent } from '../events.js';
import type { RoutingRecord } from '../history.js';
import { pgdAdversarial } from '../objectives/pgd-adversarial.js';
import { standard } from '../objectives/standard.js';
import type { Observer } from '../observer.js';
import { sgd } from '../optimizers/sgd.js';
import { objectiveContext } from '../testing/context.js';
import { tinyBatches, tinyDataset } from '../testing/data.js';
import type { TestModel } from '../testing/models.js';
import { memoryStore } from '../testing/store.js';
import { tinyRun } from '../testing/tiny-run.js';
import { toyMoe } from '../testing/toy-moe.js';
import { gradientsOf } from '../testing/weight-gradients.js';
import { loadEntropy } from './load-entropy.js';
import { type ObservedRouting, observeRouting } from './observe-routing.js';
import { routingFindings } from './routing-alarms.js';
import { rtEr } from './rt-er.js';

/** Sends rows of {@link tinyBatches} to expert 0 where the first number is above the second; with `bias`, nearly always. */
function toy(bias = 0): TestModel {
  const expert = (e: number) => Array.from({ length: 4 }, (_, d) => [Math.sin(d + e), Math.cos(3 * d + e)]);
  return toyMoe({ router: [[3, bias ? -3 : 0], [bias ? 3 : 0, bias ? -3 : 3], [bias, 0], [bias, 0]], experts: [expert(0), expert(1)] });
}

const attack = pgd({ eps: 0.1, steps: 2, goal: 'maxLoss' });

describe('loadEntropy', () => {
  it('is 1 for even use, 0 for one expert, and the hand-worked share between', () => {
    expect(loadEntropy([0.5, 0.5, 0.5, 0.5])).toBeAllClose(1);
    expect(loadEntropy([0, 1])).toBe(0);
    expect(loadEntropy([0, 0])).toBe(0);
    // (¾ ln 4/3 + ¼ ln 4) / ln 2
    expect(loadEntropy([3, 1])).toBeAllClose((0.75 * Math.log(4 / 3) + 0.25 * Math.log(4)) / Math.LN2);
  });
});

describe('routingFindings', () => {
  const record = (usage: number[], routerGradient: number): RoutingRecord[] => [
    { layer: 'moe', usage, loadEntropy: loadEntropy(usage), routerGradient, meanGate: usage.map(() => 1 / usage.length), auxLoss: 0, droppedFraction: 0 },
  ];

  it('names a router without gradient, and a layer that one expert has to itself', () => {
    expect(routingFindings(record([0.5, 0.5], 1))).toEqual([]);
    expect(routingFindings(record([0.5, 0.5], 0))).toEqual([{ kind: 'frozen-router', layer: 'moe', routerGradient: 0 }]);
    expect(routingFindings(record([0.5, 0.5], 1e-6))).toHaveLength(1);
    expect(routingFindings(record([0.5, 0.5], 2e-6))).toEqual([]);
    expect(routingFindings(record([1, 0, 0, 0], 1))).toEqual([{ kind: 'routing-collapse', layer: 'moe', loadEntropy: 0, livingExperts: 1 }]);
  });

  it('counts as alive who gets more than 4 % of an even share, and lets the caller decide', () => {
    expect(routingFindings(record([0.97, 0.01, 0.01, 0.01], 1))[0]).toMatchObject({ livingExperts: 1 });
    expect(routingFindings(record([0.6, 0.4, 0, 0], 1))).toEqual([]);
    expect(routingFindings(record([0.6, 0.4, 0, 0], 1), { minLiving: 3 })[0]).toMatchObject({ kind: 'routing-collapse', livingExperts: 2 });
    expect(routingFindings(record([0.6, 0.4, 0, 0], 1), { minEntropy: 0.5 })[0]).toMatchObject({ kind: 'routing-collapse' });
    expect(routingFindings(record([1], 0))).toEqual([]);
    expect(() => routingFindings(record([1, 0], 0), { minEntropy: 2 })).toThrow('train: alarms.minEntropy must be a finite number in [0, 1], got 2.');
  });
});

describe('alarms of train', () => {
  const alarmsOf = async (target: TestModel, changes: Parameters<typeof tinyRun>[1]) => {
    const events: TrainEvent[] = [];
    const { history } = await tinyRun(target, { ...changes, onEvent: (event) => void (event.type === 'alarm' && events.push(event)) });
    target.dispose();
    return { history, events };
  };

  it('tell of the router that the code of RT-ER leaves as it was drawn, and not of the fixed one', async () => {
    const { history, events } = await alarmsOf(toy(), { objective: rtEr({ attack, variant: 'released' }), alarms: { minEntropy: 0, minLiving: 0 } });
    expect(history.epochs.map(({ findings }) => findings)).toEqual([0, 1].map(() => [{ kind: 'frozen-router', layer: 'moe', routerGradient: 0 }]));
    expect(events).toEqual([0, 1].map((epoch) => ({ type: 'alarm', epoch, finding: { kind: 'frozen-router', layer: 'moe', routerGradient: 0 } })));
    const fixed = await alarmsOf(toy(), { objective: rtEr({ attack, variant: 'fixed' }), alarms: { minEntropy: 0, minLiving: 0 } });
    expect(fixed.history.epochs.flatMap(({ findings }) => findings)).toEqual([]);
  });

  it('tell of a router that nobody trains, and know others by a function', async () => {
    const target = toy();
    const frozen = { ...target, weights: target.weights.map((weight) => ({ ...weight, trainable: weight.name !== 'moe/router/kernel' })) };
    expect((await alarmsOf(frozen, { epochs: 1 })).history.epochs[0]!.findings).toMatchObject([{ kind: 'frozen-router' }]);
    const other = toy();
    const renamed = { ...other, weights: other.weights.map((weight) => ({ ...weight, name: weight.name.replace('moe/router', 'moe/gating') })) };
    const { history } = await alarmsOf(renamed, { epochs: 1, routerWeights: (name) => name.includes('gating') });
    expect(history.epochs[0]!.findings).toEqual([]);
  });

  it('tell of a collapse', async () => {
    const { history } = await alarmsOf(toy(5), { epochs: 1, optimizer: sgd() });
    expect(history.epochs[0]!.findings).toEqual([{ kind: 'routing-collapse', layer: 'moe', loadEntropy: 0, livingExperts: 1 }]);
    expect(history.epochs[0]!.routing[0]!.usage).toEqual([1, 0]);
  });

  it('rest on the share of the router in the norm of the gradient', async () => {
    const [target, copy] = [toy(), toy()];
    const { history } = await alarmsOf(target, { epochs: 1, batchesPerEpoch: 1, data: tinyBatches(12, 12) });
    const batch = (await tinyBatches(12, 12)(0).next()).value as Batch;
    const [inputs, labels] = [tensor(batch.inputs, [12, 2, 2, 1]), tensor1d(batch.labels, 'int32')];
    const slopes = gradientsOf(copy, () => standard().loss(copy.model, inputs, { inputs, labels, ids: batch.ids }, objectiveContext()).total);
    const norm = Math.hypot(...Object.values(slopes).flat());
    expect(history.epochs[0]!.routing[0]!.routerGradient).toBeAllClose(Math.hypot(...slopes['moe/router/kernel']!) / norm, { rtol: 1e-4 });
    [inputs, labels].forEach((value) => value.dispose());
    copy.dispose();
  });
});

describe('observers of train', () => {
  const counting = (every?: number): Observer & { readonly seen: number[] } => {
    const seen: number[] = [];
    return { name: 'counting', options: {}, ...(every !== undefined && { every }), seen, observe: async (_model, epoch) => (seen.push(epoch), { epoch }) };
  };

  it('look after every epoch that they ask for, and after the last; the history keeps what they see', async () => {
    const observer = counting(2);
    const target = toy();
    const { history } = await tinyRun(target, { epochs: 5, batchesPerEpoch: 1, observers: [observer] });
    expect(observer.seen).toEqual([1, 3, 4]);
    expect(history.epochs.map(({ observed }) => observed)).toEqual([{}, { counting: { epoch: 1 } }, {}, { counting: { epoch: 3 } }, { counting: { epoch: 4 } }]);
    target.dispose();
  });

  it('may be interrupted: the run goes on with their look, to the same history', async () => {
    const [whole, broken] = [toy(), toy()];
    const { history } = await tinyRun(whole, { observers: [counting()] });
    const checkpoint = memoryStore();
    const controller = new AbortController();
    const stopping: Observer = {
      ...counting(),
      observe: async () => {
        controller.abort();
        throw new Error('stopped');
      },
    };
    await expect(tinyRun(broken, { observers: [stopping], checkpoint, signal: controller.signal })).rejects.toThrow('stopped');
    const observer = counting();
    expect((await tinyRun(broken, { observers: [observer], checkpoint })).history).toEqual(history);
    expect(observer.seen).toEqual([0, 1]);
    expect(broken.values()).toEqual(whole.values());
    await expect(tinyRun(broken, { observers: [observer, counting()], checkpoint })).rejects.toThrow('train: observers must have different names');
    [whole, broken].forEach((target) => target.dispose());
  });
});

describe('observeRouting', () => {
  it('records what an attack does to routes, to the model and to each expert, and leaves nothing behind', async () => {
    const data = await tinyDataset(12);
    await expectTensorsKept(0, async () => {
      const target = toy();
      const before = target.values();
      const observer = observeRouting({ data, eps: 0.1, steps: 3, limit: 8 });
      const first = (await observer.observe(target.model, 0, undefined)) as unknown as ObservedRouting;
      expect(target.values()).toEqual(before);
      expect(await observer.observe(target.model, 1, undefined)).toEqual(first);
      const [layer] = first.layers;
      expect(layer).toMatchObject({ layer: 'moe' });
      expect([first.cleanAccuracy, first.robustAccuracy, first.maskingGap, layer!.loadEntropy, layer!.flipRate, layer!.stable, ...layer!.experts]).toBeWithin(0, 1);
      expect(first.robustAccuracy).toBeLessThanOrEqual(first.cleanAccuracy);
      expect(layer!.experts).toHaveLength(2);

      // The router looks at the first two numbers alone: a route is stable within .1 where they differ by more than twice that.
      const { inputs } = await data.read([0, 1, 2, 3, 4, 5, 6, 7]);
      const lead = Array.from({ length: 8 }, (_, row) => inputs[4 * row]! - inputs[4 * row + 1]!);
      expect(layer!.stable).toBeAllClose(lead.filter((value) => Math.abs(value) > 0.2).length / 8);
      expect(layer!.loadEntropy).toBeAllClose(loadEntropy([lead.filter((value) => value > 0).length, lead.filter((value) => value <= 0).length]));

      const none = (await observeRouting({ data, eps: 0, steps: 3, limit: 8 }).observe(target.model, 0, undefined)) as unknown as ObservedRouting;
      expect(none).toMatchObject({ robustAccuracy: none.cleanAccuracy, maskingGap: 0, layers: [{ flipRate: 0, stable: 1 }] });
      target.dispose();
    });
  });

  it('goes into the history of a run', async () => {
    const target = toy();
    const { history } = await tinyRun(target, { epochs: 1, batchesPerEpoch: 1, objective: pgdAdversarial({ attack, batchNorm: 'running' }), observers: [observeRouting({ data: await tinyDataset(12), eps: 0.05, steps: 1, limit: 4 })] });
    expect(history.epochs[0]!.observed).toMatchObject({ routing: { layers: [{ layer: 'moe' }] } });
    expect(JSON.parse(JSON.stringify(history))).toEqual(history);
    target.dispose();
  });
});
