// Shapes: B batch.
import { type Scalar, type Tensor, add, grads, mul, tensor, tensor1d, tidy, valueAndGrad, zerosLike } from '@tensorflow/tfjs-core';
import { type Bounds, type MoeModel, createRng } from '@moe/core';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { type Objective, type ObjectiveContext, type ObjectiveStep, type TrainingBatch, objectiveSteps } from '../objectives/objective.js';
import type { TrainOptions } from '../train-options.js';
import { objectiveContext } from './context.js';
import { tinyBatches } from './data.js';
import { type TestModel, moeMlp } from './models.js';
import { memoryStore } from './store.js';
import { tinyRun } from './tiny-run.js';
import { MATRIX_MOE_SHAPE, matrixMoe } from './matrix-moe.js';

/** What an objective promises about the inputs that it trains on. */
export interface ObjectiveTraits {
  /** Radius of the ball; 0 for clean inputs. */
  readonly eps: number;
  /** @defaultValue 'Linf' */
  readonly norm?: 'Linf' | 'L2';
  /** @defaultValue [0, 1] */
  readonly bounds?: Bounds;
  /** Model for whole runs; its routing, draws and running statistics must come back on a resume. @defaultValue `moeMlp` */
  readonly model?: (seed: number) => TestModel;
}

const ROWS = 6;
const SIZE = 4;
const [EPOCHS, STEPS] = [2, 2];

/** Rows on the bounds and within them; labels in [0, 3). */
function toyBatch(order: readonly number[] = [0, 1, 2, 3, 4, 5]): TrainingBatch {
  const row = (id: number): number[] => Array.from(createRng(21).at(id).uniform(SIZE), (value) => (id === 0 ? Math.round(value) : value));
  return {
    inputs: tensor(order.flatMap(row), [ROWS, 2, 2, 1]),
    labels: tensor1d(order.map((id) => id % 3), 'int32'),
    ids: Int32Array.from(order),
  };
}

const toyWeights = (): Tensor => tensor(createRng(5).normal(MATRIX_MOE_SHAPE[0] * MATRIX_MOE_SHAPE[1]), [...MATRIX_MOE_SHAPE]);

/** What one step of an objective trains on, and its loss. */
interface Taken {
  readonly step: ObjectiveStep;
  readonly context: ObjectiveContext;
  readonly inputs: Tensor;
}

/** Goes through the steps of an objective on one batch, at fixed weights, handing on what they carry. */
function takeSteps(objective: Objective, model: MoeModel, batch: TrainingBatch, carried?: Tensor): readonly Taken[] {
  return objectiveSteps(objective).map((step) => {
    const context = objectiveContext({ carried });
    const inputs = step.perturb?.(model, batch, context) ?? batch.inputs;
    if (step.carry !== undefined) {
      const { grad } = valueAndGrad((x: Tensor) => step.loss(model, x, batch, context).total)(inputs);
      carried = step.carry(inputs, grad, batch, context);
    }
    return { step, context, inputs };
  });
}

/** Runs the contract that every objective keeps. */
export function describeObjective(name: string, make: () => Objective, { eps, norm = 'Linf', bounds = [0, 1], model: makeModel = moeMlp }: ObjectiveTraits): void {
  /** A short run of a model that is disposed afterwards. */
  const run = async (seed: number, changes: Partial<TrainOptions> = {}, wrap = (model: MoeModel): MoeModel => model) => {
    const target = makeModel(seed);
    try {
      const { history } = await tinyRun(target, { model: wrap(target.model), data: tinyBatches(STEPS * 4, 4), batchesPerEpoch: STEPS, epochs: EPOCHS, objective: make(), ...changes });
      return { values: target.values(), history };
    } finally {
      target.dispose();
    }
  };

  describe(`${name}, an objective`, () => {
    it('has options that are plain JSON', () => {
      const { name: own, options } = make();
      expect(own).not.toBe('');
      expect(JSON.parse(JSON.stringify(options))).toEqual(options);
    });

    it('has a finite loss, the sum of its terms, with a gradient that central differences confirm', () => {
      tidy(() => {
        const [w, batch] = [toyWeights(), toyBatch()];
        for (const { step, context, inputs } of takeSteps(make(), matrixMoe(w), batch)) {
          const { total, terms, logits } = step.loss(matrixMoe(w), inputs, batch, context);
          const sum = Object.values(terms).reduce((sofar, term) => sofar + term.dataSync()[0]!, 0);
          expect(Number.isFinite(sum)).toBe(true);
          expect(total).toBeAllClose(sum, { rtol: 1e-5 });
          expect(logits.shape).toEqual([ROWS, 3]);
          const loss = (weights: Tensor): Scalar => step.loss(matrixMoe(weights), inputs, batch, context).total;
          const [gradient] = grads(loss)([w]);
          expect(Math.max(...gradient!.dataSync().map(Math.abs))).toBeGreaterThan(0);
          expectGradient(loss, w, { step: 2e-3, rtol: 2e-2, atol: 2e-3 });
        }
      });
    });

    it('trains on inputs within the ball and within bounds, also from where it left an earlier batch', () => {
      tidy(() => {
        const [model, batch] = [matrixMoe(toyWeights()), toyBatch()];
        const clean = batch.inputs.dataSync();
        // The largest perturbation that an earlier batch may leave.
        const carried = mul(add(zerosLike(batch.inputs), eps), tensor([1, -1], [1, 1, 2, 1]));
        for (const { inputs } of [...takeSteps(make(), model, batch), ...takeSteps(make(), model, batch, carried)]) {
          const values = inputs.dataSync();
          expect(values).toBeWithin(bounds[0], bounds[1]);
          const moved = Array.from(values, (value, i) => value - clean[i % clean.length]!);
          if (norm === 'Linf') expect(Math.max(...moved.map(Math.abs))).toBeLessThanOrEqual(eps * (1 + 1e-6) + 1e-7);
          else {
            const lengths = Array.from({ length: moved.length / SIZE }, (_, row) => Math.hypot(...moved.slice(row * SIZE, (row + 1) * SIZE)));
            expect(Math.max(...lengths)).toBeLessThanOrEqual(eps * (1 + 1e-5));
          }
        }
      });
    });

    it('gives each example the same inputs, and the batch the same loss, in any order', () => {
      const order = [3, 5, 0, 2, 4, 1];
      const results = [toyBatch, () => toyBatch(order)].map((batchOf) =>
        tidy(() => {
          const [model, batch] = [matrixMoe(toyWeights()), batchOf()];
          const [{ step, context, inputs }] = takeSteps(make(), model, batch) as [Taken];
          return { inputs: Array.from(inputs.dataSync()), total: step.loss(model, inputs, batch, context).total.dataSync()[0]! };
        }),
      );
      const [first, second] = results as [(typeof results)[0], (typeof results)[0]];
      const rows = (values: readonly number[], row: number) => values.slice(row * SIZE, (row + 1) * SIZE);
      order.forEach((id, row) => expect(rows(second.inputs, row)).toBeAllClose(rows(first.inputs, id)));
      expect(second.total).toBeAllClose(first.total, { rtol: 1e-4 });
    });

    it('moves the weights, the same way each time', async () => {
      const first = await run(1);
      const untouched = makeModel(1);
      const moved = Object.entries(untouched.values()).filter(([weight, values]) => values.some((value, i) => value !== first.values[weight]![i]));
      untouched.dispose();
      expect(moved.length).toBeGreaterThan(1);
      expect(first.history.epochs.every(({ loss }) => Number.isFinite(loss))).toBe(true);
      expect(await run(1)).toEqual(first);
    });

    it('goes on after any step with the bits of a run that nobody stopped', async () => {
      const checkpoint = memoryStore();
      const whole = await run(1, { checkpoint, checkpointEvery: 1 });
      expect(checkpoint.written).toHaveLength(EPOCHS * STEPS);
      // Within an epoch, and between two.
      for (const bytes of checkpoint.written.slice(0, 2)) expect(await run(99, { checkpoint: memoryStore(bytes) })).toEqual(whole);
    });

    it('keeps no tensor, whichever pass of the model fails', async () => {
      for (let good = 0; ; good++) {
        let passes = 0;
        const failing = (model: MoeModel): MoeModel => ({
          ...model,
          forward: (...args) => {
            if (passes++ === good) throw new Error('model broke');
            return model.forward(...args);
          },
        });
        const failed = await expectTensorsKept(0, () =>
          run(1, { epochs: 1, batchesPerEpoch: 1 }, failing).then(
            () => false,
            (error: Error) => {
              expect(error.message).toBe('model broke');
              return true;
            },
          ),
        );
        if (!failed) break;
      }
    });
  });
}
