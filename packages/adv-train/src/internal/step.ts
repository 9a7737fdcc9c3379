// Shapes: B batch, M classes, T rows, E experts.
import { type Scalar, type Tensor, dispose, scalar, tensor, tensor1d } from '@tensorflow/tfjs-core';
import { type Batch, type MoeModel, NumericsError, expectArgument } from '@moe/core';
import type { RunState } from '../checkpoint/run-state.js';
import type { ObjectiveContext } from '../objectives/objective.js';
import type { Pass, PassInputs, StepParts } from './pass.js';
import type { StepFacts } from './tally.js';

function expectBatch({ inputs, labels, ids, shape }: Batch): void {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  expectArgument('train', 'batch.inputs', inputs.length === size, `have ${size} values for shape [${shape.join(',')}]`, inputs.length);
  expectArgument('train', 'batch.labels', labels.length === shape[0], `have ${shape[0]} entries`, labels.length);
  expectArgument('train', 'batch.ids', ids.length === shape[0], `have ${shape[0]} entries`, ids.length);
}

const readScalar = async (value: Scalar): Promise<number> => (await value.data())[0]!;

async function readFacts({ total, terms, logits, routing, routers }: ReturnType<Pass>, labels: Int32Array, learningRate: number, { moeLayers }: MoeModel): Promise<StepFacts> {
  const [rows, classes] = logits.shape;
  const wrong = labels.findIndex((label) => label < 0 || label >= classes);
  expectArgument('train', `batch.labels[${wrong}]`, wrong < 0, `be a class index in [0, ${classes})`, labels[wrong]);
  const scores = await logits.data();
  let correct = 0;
  labels.forEach((label, row) => {
    const own = scores.subarray(row * classes, (row + 1) * classes);
    if (own.indexOf(Math.max(...own)) === label) correct++;
  });
  const shares = (await routers[0]?.data()) ?? [];
  return {
    examples: rows,
    correct,
    loss: await readScalar(total),
    learningRate,
    terms: Object.fromEntries(await Promise.all(Object.entries(terms).map(async ([name, term]) => [name, await readScalar(term)] as const))),
    routers: moeLayers.map(({ name }, i) => [name, shares[i]!] as const),
    routing: await Promise.all(
      routing.map(async ({ layer, gates, combineWeights, auxLoss, droppedFraction }) => ({
        layer,
        numExperts: gates.shape[1],
        gates: await gates.data(),
        combineWeights: await combineWeights.data(),
        auxLoss: await readScalar(auxLoss),
        droppedFraction,
      })),
    ),
  };
}

/** The optimiser's tensors for every weight. Weights with as many updates share the numbers of this step. */
function optimizerTensors({ weights, optimizer }: StepParts, state: RunState, learningRate: number, own: (tensor: Tensor) => void): Pick<PassInputs, 'slots' | 'rates'> {
  const made = new Map<number, readonly Scalar[]>();
  const ratesAfter = (updates: number): readonly Scalar[] => {
    const rates = made.get(updates) ?? optimizer.rates({ learningRate, updates }).map((rate) => scalar(rate));
    if (!made.has(updates)) rates.forEach(own);
    made.set(updates, rates);
    return rates;
  };
  return {
    slots: Object.fromEntries(weights.map(({ name }) => [name, state.slots.get(name) ?? []])),
    rates: Object.fromEntries(weights.map(({ name }) => [name, ratesAfter(state.updates.get(name) ?? 0)])),
  };
}

/** Moves the weights that the loss reached, and takes their new slots over. */
function applyUpdates({ weights }: StepParts, { weights: values, slots }: ReturnType<Pass>, state: RunState): void {
  for (const { name, variable } of weights) {
    const value = values[name];
    if (value === undefined) continue;
    variable.assign(value);
    value.dispose();
    dispose([...(state.slots.get(name) ?? [])]);
    state.slots.set(name, slots[name] ?? []);
    state.updates.set(name, (state.updates.get(name) ?? 0) + 1);
  }
}

/**
 * One step: perturbs, differentiates, checks, updates.
 *
 * @throws NumericsError if the loss is not finite; the weights are then as before the step.
 */
export async function trainStep(parts: StepParts, pass: Pass, batch: Batch, context: ObjectiveContext, state: RunState, learningRate: number): Promise<StepFacts> {
  expectBatch(batch);
  const { model, objective } = parts;
  const owned = new Set<Tensor>();
  const own = <T extends Tensor>(value: T): T => {
    owned.add(value);
    return value;
  };
  try {
    const inputs = own(tensor(batch.inputs, [...batch.shape]));
    const labels = own(tensor1d(batch.labels, 'int32'));
    const onEngine = { inputs, labels, ids: batch.ids };
    const trained = objective.perturb === undefined ? inputs : own(objective.perturb(model, onEngine, context));
    const given = { trained, inputs, labels, ...optimizerTensors(parts, state, learningRate, own) };
    const made = pass(given, { ...context, ids: batch.ids, own });
    [made.total, ...Object.values(made.terms), made.logits, ...made.routers].forEach(own);
    const updates = [...Object.values(made.weights), ...Object.values(made.slots).flat()];
    updates.forEach(own);
    const facts = await readFacts(made, batch.labels, learningRate, model);
    if (!Number.isFinite(facts.loss)) {
      const terms = Object.entries(facts.terms).map(([name, term]) => `${name} ${term}`);
      throw new NumericsError(
        `train: loss must be finite, got ${facts.loss} (${terms.join(', ')}) at epoch ${state.epoch}, step ${state.step}. Lower the learning rate, or check inputs and weights for NaN.`,
      );
    }
    for (const update of updates) owned.delete(update);
    applyUpdates(parts, made, state);
    return facts;
  } finally {
    dispose([...owned]);
  }
}
