// Shapes: B batch, M classes, T rows, E experts.
import { type Scalar, type Tensor, dispose, scalar, tensor, tensor1d } from '@tensorflow/tfjs-core';
import { type Batch, NumericsError, type Weight, expectArgument } from '@moe/core';
import type { RunState } from '../checkpoint/run-state.js';
import type { ObjectiveContext, TrainingBatch } from '../objectives/objective.js';
import type { LossParts } from './differentiate.js';
import type { Exchange } from '../train-options.js';
import { withDisplaced } from './displaced.js';
import { exchangedUpdate } from './exchanged-update.js';
import { joinFacts, readFacts } from './facts.js';
import type { Pass, PassInputs } from './pass.js';
import type { WeightSettings } from '../optimizers/groups.js';
import type { StepFacts } from './tally.js';
import type { UpdateParts, UpdateTensors } from './update.js';

/** One step of the objective, and the pass that does it. */
export interface RunStep {
  readonly parts: LossParts & UpdateParts;
  readonly pass: Pass;
}

/** What is particular to one batch of a run. */
export interface BatchPlan {
  readonly learningRate: number;
  /** Key of the batch for the draws of a step, which is told by its index. */
  readonly draws: (step: number) => Pick<ObjectiveContext, 'exampleRng' | 'batchRng'>;
  /** Whether gradients are summed over several batches, and whether this is the last of them. */
  readonly accumulates: boolean;
  readonly closes: boolean;
  /** With other processes, and the running statistics that they share. */
  readonly together: { readonly exchange: Exchange; readonly running: readonly Weight[] } | undefined;
}

type Own = <T extends Tensor>(value: T) => T;

function expectBatch({ inputs, labels, ids, shape }: Batch): void {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  expectArgument('train', 'batch.inputs', inputs.length === size, `have ${size} values for shape [${shape.join(',')}]`, inputs.length);
  expectArgument('train', 'batch.labels', labels.length === shape[0], `have ${shape[0]} entries`, labels.length);
  expectArgument('train', 'batch.ids', ids.length === shape[0], `have ${shape[0]} entries`, ids.length);
}

/** The optimiser's tensors for every weight. Weights of one group with as many updates share the numbers of this step. */
function updateTensors({ weights, settings, step }: RunStep['parts'], state: RunState, learningRate: number, own: Own): Omit<UpdateTensors, 'values'> {
  const made = new Map<WeightSettings, Map<number, readonly Scalar[]>>();
  const ratesOf = (name: string, update: number): readonly Scalar[] => {
    const setting = settings.get(name)!;
    const updates = (state.updates.get(name) ?? 0) + update;
    const ofGroup = made.get(setting) ?? new Map<number, readonly Scalar[]>();
    made.set(setting, ofGroup);
    const rates = ofGroup.get(updates) ?? setting.optimizer.rates({ learningRate: learningRate * setting.scale, updates }).map((rate) => own(scalar(rate)));
    ofGroup.set(updates, rates);
    return rates;
  };
  return {
    slots: Object.fromEntries(weights.map(({ name }) => [name, state.slots.get(name) ?? []])),
    rates: Array.from({ length: step.updates ?? 1 }, (_, update) => Object.fromEntries(weights.map(({ name }) => [name, ratesOf(name, update)]))),
  };
}

/** Moves the weights that the loss reached, and takes their new slots over. */
function applyUpdate({ weights, step }: RunStep['parts'], { weights: values, slots }: NonNullable<ReturnType<Pass>['update']>, state: RunState): void {
  for (const { name, variable } of weights) {
    const value = values[name];
    if (value === undefined) continue;
    variable.assign(value);
    value.dispose();
    dispose([...(state.slots.get(name) ?? [])]);
    state.slots.set(name, slots[name] ?? []);
    state.updates.set(name, (state.updates.get(name) ?? 0) + (step.updates ?? 1));
  }
}

/** Puts what a pass made in its place in the state, which owns it from then on. */
function takeOver(parts: RunStep['parts'], { update, sums, carried }: ReturnType<Pass>, rows: number, state: RunState): void {
  const before = [...state.gradients.values()].filter((tensor) => !Object.values(sums ?? {}).includes(tensor));
  dispose(before);
  state.gradients = new Map(Object.entries(sums ?? {}));
  state.rows = sums === undefined ? 0 : state.rows + rows;
  if (update !== undefined) applyUpdate(parts, update, state);
  const [next] = carried;
  if (next === undefined) return;
  state.carried?.dispose();
  state.carried = next;
}

function expectFinite({ loss, terms, gradientNorms }: StepFacts, { epoch, step }: RunState): void {
  const where = `at epoch ${epoch}, step ${step}. Lower the learning rate, or check inputs and weights for NaN.`;
  if (!Number.isFinite(loss)) {
    const summands = Object.entries(terms).map(([name, term]) => `${name} ${term}`);
    throw new NumericsError(`train: loss must be finite, got ${loss} (${summands.join(', ')}) ${where}`);
  }
  for (const norm of gradientNorms) if (!Number.isFinite(norm)) throw new NumericsError(`train: norm of the gradient must be finite, got ${norm} ${where}`);
}

/** What a pass made, with an update by the gradient over all processes in place of its sums. */
async function updateTogether(parts: UpdateParts, { sums = {}, ...made }: ReturnType<Pass>, rows: number, tensors: Omit<UpdateTensors, 'values'>, { exchange, running }: NonNullable<BatchPlan['together']>, own: Own): Promise<ReturnType<Pass>> {
  [...Object.values(sums), ...made.carried, ...made.routers].forEach(own);
  return { ...made, update: await exchangedUpdate(parts, { sums, rows, running }, tensors, exchange) };
}

/** One step of the objective on a batch: perturbs, displaces, differentiates, checks, updates. */
async function runStep({ parts, pass }: RunStep, batch: TrainingBatch, labels: Int32Array, context: ObjectiveContext, plan: BatchPlan, state: RunState): Promise<StepFacts> {
  const { model, step, weights } = parts;
  const { learningRate, accumulates, closes, together } = plan;
  // Functions of the objective may hand back what they were given, and sums that a batch does not reach stay as they are.
  const kept = new Set<Tensor | undefined>([batch.inputs, batch.labels, state.carried, ...state.gradients.values(), ...weights.map(({ variable }) => variable)]);
  const owned = new Set<Tensor>();
  const own: Own = (value) => {
    if (!kept.has(value)) owned.add(value);
    return value;
  };
  try {
    const trained = step.perturb === undefined ? batch.inputs : own(step.perturb(model, batch, context));
    const displaced = step.displace?.(model, trained, batch, context) ?? {};
    Object.values(displaced).forEach(own);
    const given: Omit<PassInputs, 'update'> = {
      trained,
      inputs: batch.inputs,
      labels: batch.labels,
      carried: state.carried === undefined ? [] : [state.carried],
      ...((accumulates || together) && { accumulated: { sums: Object.fromEntries(state.gradients), rows: own(scalar(state.rows + labels.length)) } }),
    };
    const tensors = closes ? updateTensors(parts, state, learningRate, own) : undefined;
    const passed = await withDisplaced(weights, displaced, (values) =>
      pass({ ...given, ...(tensors && !together && { update: { ...tensors, values } }) }, { ...context, ids: batch.ids, own }),
    );
    const made = tensors && together ? await updateTogether(parts, passed, state.rows + labels.length, tensors, together, own) : passed;
    const { update, sums = {}, carried } = made;
    [made.total, ...Object.values(made.terms), made.logits, ...made.routers, ...(update ? [update.norm] : [])].forEach(own);
    const taken = [...carried, ...Object.values(sums), ...(update ? [...Object.values(update.weights), ...Object.values(update.slots).flat()] : [])];
    taken.forEach(own);
    const facts = await readFacts(made, labels, learningRate, model);
    expectFinite(facts, state);
    for (const value of taken) owned.delete(value);
    takeOver(parts, made, labels.length, state);
    return facts;
  } finally {
    dispose([...owned]);
  }
}

/**
 * All steps of the objective on one batch.
 *
 * @throws NumericsError if a loss or gradient is not finite; the weights are then as before the step that had it.
 */
export async function trainBatch(steps: readonly [RunStep, ...RunStep[]], batch: Batch, weights: readonly Weight[], plan: BatchPlan, state: RunState): Promise<StepFacts> {
  expectBatch(batch);
  const inputs = tensor(batch.inputs, [...batch.shape]);
  const labels = tensor1d(batch.labels, 'int32');
  const onEngine: TrainingBatch = { inputs, labels, ids: batch.ids };
  const run = (step: RunStep, index: number): Promise<StepFacts> =>
    runStep(step, onEngine, batch.labels, { ...plan.draws(index), epoch: state.epoch, weights, carried: state.carried }, plan, state);
  try {
    const [first, ...others] = steps;
    const facts: [StepFacts, ...StepFacts[]] = [await run(first, 0)];
    for (const [i, step] of others.entries()) facts.push(await run(step, i + 1));
    return joinFacts(facts);
  } finally {
    dispose([inputs, labels]);
  }
}
