// Shapes: B batch, M classes, T rows, E experts.
import '../gradients.js';
import { type Scalar, type Tensor, type Variable, dispose, keep, tensor, tensor1d, tidy, variableGrads } from '@tensorflow/tfjs-core';
import { type Batch, type MoeModel, NumericsError, type Weight, expectArgument } from '@moe/core';
import type { RunState } from '../checkpoint/run-state.js';
import type { Objective, ObjectiveContext, ObjectiveLoss } from '../objectives/objective.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { StepFacts } from './tally.js';

/** What every step of a run shares. */
export interface StepParts {
  readonly model: MoeModel;
  /** Trainable weights only. */
  readonly weights: readonly Weight[];
  readonly objective: Objective;
  readonly optimizer: Optimizer;
}

function expectBatch({ inputs, labels, ids, shape }: Batch): void {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  expectArgument('train', 'batch.inputs', inputs.length === size, `have ${size} values for shape [${shape.join(',')}]`, inputs.length);
  expectArgument('train', 'batch.labels', labels.length === shape[0], `have ${shape[0]} entries`, labels.length);
  expectArgument('train', 'batch.ids', ids.length === shape[0], `have ${shape[0]} entries`, ids.length);
}

const tensorsOf = ({ total, terms, logits, routing }: ObjectiveLoss): Tensor[] => [
  total,
  ...Object.values(terms),
  logits,
  ...routing.flatMap(({ gateLogits, gates, combineWeights, auxLoss }) => [gateLogits, gates, combineWeights, auxLoss]),
];

const readScalar = async (value: Scalar): Promise<number> => (await value.data())[0]!;

async function readFacts({ total, terms, logits, routing }: ObjectiveLoss, labels: Int32Array, learningRate: number): Promise<StepFacts> {
  const [rows, classes] = logits.shape;
  const wrong = labels.findIndex((label) => label < 0 || label >= classes);
  expectArgument('train', `batch.labels[${wrong}]`, wrong < 0, `be a class index in [0, ${classes})`, labels[wrong]);
  const scores = await logits.data();
  let correct = 0;
  labels.forEach((label, row) => {
    const own = scores.subarray(row * classes, (row + 1) * classes);
    if (own.indexOf(Math.max(...own)) === label) correct++;
  });
  return {
    examples: rows,
    correct,
    loss: await readScalar(total),
    learningRate,
    terms: Object.fromEntries(await Promise.all(Object.entries(terms).map(async ([name, term]) => [name, await readScalar(term)] as const))),
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

/** Moves the weights that the loss reached; the others, such as those of unused experts, stay as they are. */
function updateWeights({ weights, optimizer }: StepParts, grads: Readonly<Record<string, Tensor>>, state: RunState, learningRate: number): void {
  for (const { name, variable } of weights) {
    const gradient = grads[variable.name];
    if (gradient === undefined) continue;
    const before = state.slots.get(name) ?? [];
    const updates = state.updates.get(name) ?? 0;
    const after = tidy(() => {
      const { weight, slots } = optimizer.update(variable, gradient, before, { learningRate, updates });
      variable.assign(weight);
      return [...slots];
    });
    dispose([...before]);
    state.slots.set(name, after);
    state.updates.set(name, updates + 1);
  }
}

/**
 * One step: perturbs, differentiates, checks, updates.
 *
 * @throws NumericsError if the loss is not finite; the weights are then as before the step.
 */
export async function trainStep(parts: StepParts, batch: Batch, context: ObjectiveContext, state: RunState, learningRate: number): Promise<StepFacts> {
  expectBatch(batch);
  const { model, weights, objective } = parts;
  const owned: Tensor[] = [];
  const own = <T extends Tensor>(value: T): T => {
    owned.push(value);
    return value;
  };
  try {
    const inputs = own(tensor(batch.inputs, [...batch.shape]));
    const labels = own(tensor1d(batch.labels, 'int32'));
    const onEngine = { inputs, labels, ids: batch.ids };
    const trained = objective.perturb === undefined ? inputs : own(objective.perturb(model, onEngine, context));
    let loss: ObjectiveLoss | undefined;
    const { value, grads } = variableGrads(
      () => {
        loss = objective.loss(model, trained, onEngine, context);
        // Everything that is read after the tape is gone.
        for (const kept of tensorsOf(loss)) own(keep(kept));
        return loss.total;
      },
      weights.map(({ variable }) => variable as Variable),
    );
    own(value);
    owned.push(...Object.values(grads));
    const facts = await readFacts(loss!, batch.labels, learningRate);
    if (!Number.isFinite(facts.loss)) {
      const terms = Object.entries(facts.terms).map(([name, term]) => `${name} ${term}`);
      throw new NumericsError(
        `train: loss must be finite, got ${facts.loss} (${terms.join(', ')}) at epoch ${state.epoch}, step ${state.step}. Lower the learning rate, or check inputs and weights for NaN.`,
      );
    }
    updateWeights(parts, grads, state, learningRate);
    return facts;
  } finally {
    dispose(owned);
  }
}
