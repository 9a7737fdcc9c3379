// Shapes: B batch.
import { type Attack, type AttackAccess, type AttackContext, type Bounds, type LogitsFn, type Perturbation, expectArgument } from '@moe/core';
import type { AttackNorm } from './geometry/geometry.js';
import { createProblem } from './internal/problem.js';
import { type Tensor, type Tensor1D, dispose, tensor, tensor1d } from '@tensorflow/tfjs-core';

/** Names and options of the parts of a {@link sequence}. */
export interface SequenceOptions {
  readonly attacks: readonly { readonly name: string; readonly options: object }[];
  /** Ball and bounds, where all parts have the same, so that an evaluation can check them. */
  readonly eps?: number;
  readonly norm?: AttackNorm;
  readonly bounds?: Bounds;
}

const ACCESS: readonly AttackAccess[] = ['decision', 'score', 'gradient'];

/**
 * Attacks one after the other, each on what still stands after those before it: the worst case of all, at the cost of few where early ones succeed.
 *
 * @remarks
 * Put cheap attacks first. A part gets the very draws that it would have alone, so an example's verdict is that of the single attacks. The reported loss of a row is that of the last
 * part that attacked it.
 *
 * @param name    - of the attack as a whole; selects no randomness.
 * @param attacks - with distinct names.
 * @returns A frozen attack that needs the widest access of its parts.
 * @throws {@link ArgumentError} if there is no attack, or a name comes twice.
 *
 * @example
 * const attack = sequence('quick', [fgsm({ eps }), pgd({ eps }), apgdTargeted({ eps })]);
 */
export function sequence(name: string, attacks: readonly Attack[]): Attack<SequenceOptions> {
  expectArgument('sequence', 'attacks', attacks.length >= 1, 'hold at least one attack', attacks.length);
  const names = attacks.map((attack) => attack.name);
  const twice = names.find((other, i) => names.indexOf(other) !== i);
  expectArgument('sequence', 'attacks', twice === undefined, 'have distinct names', twice, 'Give one of them a label.');
  const shared = sharedOptions(attacks);
  return Object.freeze<Attack<SequenceOptions>>({
    name,
    options: Object.freeze({ ...shared, attacks: attacks.map((attack) => Object.freeze({ name: attack.name, options: attack.options })) }),
    access: ACCESS[Math.max(...attacks.map(({ access }) => ACCESS.indexOf(access)))]!,
    perturb: (model, inputs, labels, context) => runAll(name, attacks, shared.bounds ?? [-Infinity, Infinity], model, inputs, labels, context),
  });
}

/** What all parts were given alike of ball and bounds. */
function sharedOptions(attacks: readonly Attack[]): Pick<SequenceOptions, 'eps' | 'norm' | 'bounds'> {
  const [first, ...rest] = attacks.map(({ options }) => options as Record<string, unknown>);
  const alike = ['eps', 'norm', 'bounds'].filter((key) => first![key] !== undefined && rest.every((other) => JSON.stringify(other[key]) === JSON.stringify(first![key])));
  return Object.fromEntries(alike.map((key) => [key, first![key]]));
}

function runAll(name: string, attacks: readonly Attack[], bounds: Bounds, model: LogitsFn, inputs: Tensor, labels: Tensor1D, context: AttackContext): Perturbation {
  const { rows, size, shape, inputs: clean, labels: truth } = createProblem(name, model, inputs, labels, context, bounds);
  const adversarial = clean.slice();
  const success = new Int32Array(rows);
  const loss = new Float32Array(rows);

  let standing = Array.from({ length: rows }, (_, row) => row);
  for (const attack of attacks) {
    if (standing.length === 0) break;
    const part = { inputs: tensor(pick(clean, standing, size), [standing.length, ...shape]), labels: tensor1d(standing.map((row) => truth[row]!), 'int32') };
    let outcome: Perturbation | undefined;
    try {
      outcome = attack.perturb(model, part.inputs, part.labels, { ...context, exampleIds: standing.map((row) => context.exampleIds?.[row] ?? row) });
      const [points, wrong, losses] = [outcome.adversarial.dataSync(), outcome.success.dataSync(), outcome.loss.dataSync()];
      standing.forEach((row, i) => {
        adversarial.set(points.subarray(i * size, (i + 1) * size), row * size);
        success[row] = wrong[i]!;
        loss[row] = losses[i]!;
      });
    } finally {
      dispose([part.inputs, part.labels, ...(outcome === undefined ? [] : [outcome.adversarial, outcome.success, outcome.loss])]);
    }
    standing = standing.filter((row) => success[row] === 0);
  }
  return { adversarial: tensor(adversarial, [rows, ...shape]), success: tensor1d(success, 'int32'), loss: tensor1d(loss) };
}

function pick(values: Float32Array, rows: readonly number[], size: number): Float32Array {
  const picked = new Float32Array(rows.length * size);
  rows.forEach((row, i) => picked.set(values.subarray(row * size, (row + 1) * size), i * size));
  return picked;
}
