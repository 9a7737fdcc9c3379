import { AbortedError, type Batch, createRng, expectArgument } from '@moe/core';
import { type RunIdentity, encodeRun } from '../checkpoint/run-checkpoint.js';
import type { RunState } from '../checkpoint/run-state.js';
import { emaDecay, moveAverages } from '../ema.js';
import type { EpochRecord } from '../history.js';
import { isRouterWeight } from '../moe/router-weights.js';
import { routingFindings } from '../moe/routing-alarms.js';
import { objectiveSteps } from '../objectives/objective.js';
import type { TrainOptions } from '../train-options.js';
import { isExhausted } from '../validation/selection.js';
import { estimateLeft } from './clock.js';
import { evaluatedModel } from './evaluated.js';
import { type Look, look } from './look.js';
import { createPass } from './pass.js';
import { type BatchPlan, type RunStep, trainBatch } from './step.js';
import { addStep, closeEpoch, emptyTally } from './tally.js';
import { yieldToHost } from './yield.js';

/** Runs what is left of a run, moving weights and `state` in place. */
export async function runEpochs(options: TrainOptions, identity: RunIdentity, state: RunState): Promise<void> {
  const { model, data, batchesPerEpoch, epochs, objective, schedule, seed, clipNorm, accumulate = 1, ema, validation, checkpoint, checkpointEvery, alarms, routerWeights = isRouterWeight, onEvent, signal, compile, exchange } = options;
  const weights = identity.weights.filter((weight) => weight.trainable);
  const [first, ...others] = objectiveSteps(objective).map((step): RunStep => {
    const moved = weights.filter(({ name }) => step.moves?.(name) ?? true);
    const parts = { model, weights: moved, step, settings: identity.settings, clipNorm };
    return { parts, pass: createPass(parts, compile, routerWeights) };
  });
  const together = exchange && { exchange, running: identity.weights.filter((weight) => !weight.trainable) };
  const rng = createRng(seed).stream('train');
  const etaMs = estimateLeft(() => (epochs - state.epoch) * batchesPerEpoch - state.step);
  let unsavedSteps = 0;

  const save = async (): Promise<void> => {
    unsavedSteps = 0;
    if (checkpoint === undefined) return;
    const bytes = await encodeRun(identity, state);
    await checkpoint.write(bytes);
    await onEvent?.({ type: 'checkpoint', epoch: state.epoch, step: state.step, bytes: bytes.length });
  };

  const runStep = async (batch: Batch): Promise<void> => {
    const { epoch, step } = state;
    // Batches that make one update share its learning rate, that of a joined batch.
    const learningRate = schedule.rate(epoch + (step - (step % accumulate)) / batchesPerEpoch, epochs);
    const draws: BatchPlan['draws'] = (index) => {
      const key = index === 0 ? '' : `/${index}`;
      return { exampleRng: rng.stream(`example${key}`).at(epoch), batchRng: rng.stream(`batch${key}`).at(epoch, step) };
    };
    const closes = (step + 1) % accumulate === 0 || step + 1 === batchesPerEpoch;
    const facts = await trainBatch([first!, ...others], batch, weights, { learningRate, draws, accumulates: accumulate > 1, closes, together }, state);
    if (ema !== undefined && closes) {
      const perEpoch = Math.ceil(batchesPerEpoch / accumulate);
      moveAverages(state.averages, weights, emaDecay(ema, epoch * perEpoch + Math.floor(step / accumulate), epochs * perEpoch));
    }
    addStep(state.tally, facts);
    state.step++;
    unsavedSteps++;
    const { loss, terms, correct, examples, gradientNorms } = facts;
    const gradientNorm = gradientNorms.length === 0 ? undefined : gradientNorms.reduce((total, norm) => total + norm, 0) / gradientNorms.length;
    await onEvent?.({ type: 'step', epoch, step, steps: batchesPerEpoch, learningRate, gradientNorm, loss, terms, accuracy: correct / examples, etaMs: etaMs() });
  };

  const runSteps = async (): Promise<void> => {
    if (state.step === batchesPerEpoch) return; // interrupted while somebody looked
    let seen = 0;
    for await (const batch of data(state.epoch)) {
      if (seen++ < state.step) continue;
      if (signal?.aborted) {
        if (unsavedSteps > 0) await save();
        throw new AbortedError(`train: aborted by the caller before epoch ${state.epoch}, step ${state.step}.`, { cause: signal.reason });
      }
      await runStep(batch);
      if (state.step === batchesPerEpoch) return;
      if (checkpointEvery !== undefined && state.step % checkpointEvery === 0) await save();
      await yieldToHost();
    }
    expectArgument('train', `data(${state.epoch})`, false, `give batchesPerEpoch = ${batchesPerEpoch} batches`, seen);
  };

  const looking = { options, identity, evaluated: evaluatedModel(model) };
  const lookAround = async (): Promise<Look> => {
    try {
      return await look(looking, state);
    } catch (error) {
      if (signal?.aborted && unsavedSteps > 0) await save();
      throw error;
    }
  };

  const isOver = (): boolean => state.epoch === epochs || isExhausted(state.history, validation?.patience);
  while (!isOver()) {
    await runSteps();
    const closed = closeEpoch(state.epoch, state.tally);
    const findings = routingFindings(closed.routing, alarms);
    for (const finding of findings) await onEvent?.({ type: 'alarm', epoch: state.epoch, finding });
    const { best, ...seen } = await lookAround();
    const record: EpochRecord = { ...closed, findings, ...seen };
    state.history.push(record);
    if (best !== undefined) state.best = best;
    state.epoch++;
    state.step = 0;
    state.tally = emptyTally();
    if (seen.validation !== undefined) {
      await onEvent?.({ type: 'validation', epoch: record.epoch, validation: seen.validation, isBest: best !== undefined, endsRun: isOver() && state.epoch < epochs });
    }
    await onEvent?.({ type: 'epoch', record, epochs, etaMs: etaMs() });
    await save();
  }
}
