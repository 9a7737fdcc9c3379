import '../gradients.js';
import { type Scalar, type Tensor, add, reshape, slice, tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';
import { pgd } from '@moe/attacks';
import type { MoeModel } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import type { ObjectiveStep, TrainingBatch } from '../objectives/objective.js';
import { pgdAdversarial } from '../objectives/pgd-adversarial.js';
import { standard } from '../objectives/standard.js';
import { plainModel } from '../plain-model.js';
import { shifting } from '../testing/attacks.js';
import { objectiveContext } from '../testing/context.js';
import type { TestModel } from '../testing/models.js';
import { tinyRun } from '../testing/tiny-run.js';
import { type ToyMoeOptions, toyMoe } from '../testing/toy-moe.js';
import { expectWeightGradients, gradientsOf } from '../testing/weight-gradients.js';
import { type ExpertConsistencyOptions, expertConsistency } from './expert-consistency.js';
import type { ObjectiveTerm } from './objective-term.js';
import { prc } from './prc.js';
import { routerKl } from './router-kl.js';
import { routerMargin } from './router-margin.js';
import { withTerms } from './with-terms.js';

// Scores of (a, b) are (2a, 0), so its gates are σ(2a) and the rest, and its expert is the first where a > 0.
const TOY: ToyMoeOptions = { router: [[2, 0], [0, 0]], experts: [[[1, 0], [0, 1]], [[0, 1], [0, 0]]] };
const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));
/** KL divergence of two coins. */
const coins = (p: number, q: number): number => p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q));
const still = shifting(0);
const kl = pgd({ eps: 0.1, steps: 2, loss: 'kl', start: 'normal', goal: 'lastStep', bounds: [-1, 1] });

function batchOf(rows: readonly (readonly number[])[], labels: readonly number[]): TrainingBatch {
  return { inputs: tensor(rows.flat(), [rows.length, 2]), labels: tensor1d([...labels], 'int32'), ids: Int32Array.from(labels.keys()) };
}

/** Runs with a toy and a batch that are disposed afterwards. */
function withToy<R>(run: (toy: TestModel) => R, options: ToyMoeOptions = TOY): R {
  const toy = toyMoe(options);
  try {
    return tidy(() => run(toy) as void) as R;
  } finally {
    toy.dispose();
  }
}

/** What a term adds to adversarial training with an attack, and the value as a function for gradients: its inputs are made once, as `train` does. */
function termOn(model: MoeModel, term: ObjectiveTerm, batch: TrainingBatch, attack = still): { readonly value: number; readonly loss: () => Scalar } {
  const objective = withTerms(pgdAdversarial({ attack, batchNorm: 'running' }), [term]);
  const inputs = objective.perturb!(model, batch, objectiveContext());
  const loss = (): Scalar => objective.loss(model, inputs, batch, objectiveContext()).terms[term.name]!;
  return { value: loss().dataSync()[0]!, loss };
}

const consistency = (options: Partial<ExpertConsistencyOptions> = {}) => expertConsistency({ attack: shifting(-0.25), weight: 1, ...options });

describe.each<[string, (weight: number) => ObjectiveTerm]>([
  ['routerKl on the trained inputs', (weight) => routerKl({ weight })],
  ['routerKl on an attack of its own', (weight) => routerKl({ weight, attack: kl })],
  ['routerMargin', (weight) => routerMargin({ weight, margin: 5 })],
  ['expertConsistency', (weight) => consistency({ weight })],
  ['expertConsistency of all', (weight) => consistency({ weight, experts: 'all' })],
  ['prc', (weight) => prc({ diagonal: weight, offDiagonal: 10 * weight })],
  ['prc of an attack of its own', (weight) => prc({ diagonal: weight, offDiagonal: 10 * weight, attack: kl })],
])('%s', (_, make) => {
  const rows = [[0.5, 0.2], [0.3, -0.4], [-0.6, 0.1]];

  it('is proportional to its weight, and 0 at weight 0', () => {
    withToy(({ model }) => {
      const batch = batchOf(rows, [0, 1, 1]);
      const [none, one, two] = [0, 1, 2].map((weight) => termOn(model, make(weight), batch, shifting(0.1)).value);
      expect(none).toBe(0);
      expect(one).toBeGreaterThan(1e-4);
      expect(two).toBeAllClose(2 * one!);
    });
  });

  it('has the gradient of central differences in the weights that it reaches', () => {
    withToy((toy) => {
      const { loss } = termOn(toy.model, make(1), batchOf(rows, [0, 1, 1]), shifting(0.1));
      const reached = Object.entries(gradientsOf(toy, loss)).filter(([, gradient]) => gradient.some((slope) => slope !== 0)).map(([name]) => name);
      expect(reached.length).toBeGreaterThan(0);
      expectWeightGradients(toy, loss, reached);
    });
  });

  it('is part of what train minimises and records, and keeps no tensor', async () => {
    await expectTensorsKept(0, async () => {
      const expert = (e: number) => Array.from({ length: 4 }, (_row, d) => [Math.sin(d + e), Math.cos(3 * d + e)]);
      const toy = toyMoe({ router: [[1, -1], [-1, 1], [0.5, 0], [0, 0.4]], experts: [expert(0), expert(1)], noise: 0.1 });
      const objective = withTerms(pgdAdversarial({ attack: kl, batchNorm: 'running' }), [make(1)]);
      const { history } = await tinyRun(toy, { objective, epochs: 1, batchesPerEpoch: 1 });
      const { loss, terms } = history.epochs[0]!;
      expect(Object.keys(terms)).toHaveLength(3);
      expect(loss).toBeAllClose(Object.values(terms).reduce((a, b) => a + b), { rtol: 1e-4 });
      toy.dispose();
    });
  });

  it('asks for layers, and says so', () => {
    tidy(() => {
      const model = plainModel((x) => reshape(x, [-1, 2]));
      const objective = withTerms(pgdAdversarial({ attack: still, batchNorm: 'running' }), [make(1)]);
      const batch = batchOf([[0, 0]], [0]);
      expect(() => objective.loss(model, objective.perturb!(model, batch, objectiveContext()), batch, objectiveContext())).toThrow("model must have MoE layers, got 'none'.");
    });
  });
});

describe('routerKl', () => {
  it('is the hand-worked divergence of the gates', () => {
    withToy(({ model }) => {
      // Gates σ(1) and σ(−.6) move to σ(.5) and σ(−1.1).
      const expected = (coins(sigmoid(1), sigmoid(0.5)) + coins(sigmoid(-0.6), sigmoid(-1.1))) / 2;
      const { value } = termOn(model, routerKl(), batchOf([[0.5, 0.1], [-0.3, 0.2]], [0, 1]), shifting(-0.25));
      expect(value).toBeAllClose(6 * expected, { rtol: 1e-4 });
    });
  });

  it('is exactly 0 where inputs do not move, also for a noisy router', () => {
    withToy(({ model }) => void expect(termOn(model, routerKl(), batchOf([[0.5, 0.1], [-0.3, 0.2]], [0, 1])).value).toBe(0), { ...TOY, noise: 0.5 });
  });

  it('attacks the gates alone where it has an attack: along a, which they see, and not along b, which they do not', () => {
    withToy(({ model }) => {
      const batch = batchOf([[0.5, 0.5], [0.4, 0.2]], [0, 1]);
      const attack = pgd({ eps: 0.1, steps: 3, loss: 'kl', start: 'normal', startSize: 1e-4, goal: 'lastStep' });
      const objective = withTerms(standard(), [routerKl({ attack })]);
      const stacked = objective.perturb!(model, batch, objectiveContext());
      expect(stacked.shape).toEqual([4, 2]);
      const [clean, view] = [0, 2].map((from) => slice(stacked, [from, 0], [2, 2]).dataSync());
      expect(clean).toEqual(batch.inputs.dataSync());
      Array.from(view!).forEach((value, i) => expect(Math.abs(value - clean![i]!)).toBeAllClose(i % 2 === 0 ? 0.1 : 0, { atol: 1e-3 }));
    });
  });

  it('draws its attack by example id, whatever the order of the batch', () => {
    withToy(({ model }) => {
      const objective = withTerms(standard(), [routerKl({ attack: kl })]);
      const views = [[0, 1], [1, 0]].map((ids) => {
        const batch = { ...batchOf(ids.map((id) => [0.5 + id / 10, 0.5]), ids), ids: Int32Array.from(ids) };
        return slice(objective.perturb!(model, batch, objectiveContext()), [2, 0], [2, 2]).arraySync() as number[][];
      });
      expect(views[1]!.toReversed()).toEqual(views[0]);
    });
  });
});

describe('routerMargin', () => {
  it('is the hand-worked hinge, on the inputs that are trained on', () => {
    withToy(({ model }) => {
      // Leads 2 · .5 and 2 · .2 become 2 · .25 and 2 · .05.
      const batch = batchOf([[0.5, 0], [-0.2, 0]], [0, 1]);
      expect(termOn(model, routerMargin({ weight: 1 }), batch).value).toBeAllClose((0 + 0.6) / 2);
      expect(termOn(model, routerMargin({ weight: 3, margin: 0.8 }), batchOf([[0.5, 0], [0.2, 0]], [0, 1]), shifting(-0.15)).value).toBeAllClose((3 * (0.1 + 0.7)) / 2);
      expect(termOn(model, routerMargin({ weight: 1, margin: 0.4 }), batch).value).toBeAllClose(0);
    });
  });
});

describe('expertConsistency', () => {
  const batch = () => batchOf([[0.5, 0.3], [-0.4, 0.2]], [0, 1]);
  // Expert 0 gives (a, b), expert 1 gives (0, a).
  const second = (a: number, b: number): number => (a > 0 ? sigmoid(a) : sigmoid(b - a));

  it('is the hand-worked divergence of the second expert, row by row', () => {
    withToy(({ model }) => {
      const expected = (coins(second(0.5, 0.3), sigmoid(0.25)) + coins(second(-0.4, 0.2), sigmoid(-0.05 + 0.65))) / 2;
      expect(termOn(model, consistency(), batch()).value).toBeAllClose(expected, { rtol: 1e-3, atol: 1e-7 });
    });
  });

  it('sums over the experts for all, and is 0 where the attack does not move the inputs', () => {
    withToy(({ model }) => {
      const first = (coins(sigmoid(-0.2), sigmoid(-0.2)) + coins(sigmoid(0.6), sigmoid(0.6))) / 2; // both classes move alike
      const other = (coins(sigmoid(0.5), sigmoid(0.25)) + coins(sigmoid(-0.4), sigmoid(-0.65))) / 2;
      expect(termOn(model, consistency({ experts: 'all' }), batch()).value).toBeAllClose(first + other, { rtol: 1e-3, atol: 1e-7 });
      expect(termOn(model, consistency({ experts: 'all', attack: still }), batch()).value).toBe(0);
    });
  });

  it('moves the expert that it is about and no router', () => {
    withToy((toy) => {
      const { loss } = termOn(toy.model, consistency(), batchOf([[0.5, 0.3]], [0]));
      const moved = Object.entries(gradientsOf(toy, loss)).filter(([, gradient]) => gradient.some((slope) => slope !== 0));
      expect(moved.map(([name]) => name)).toEqual(['moe/expert1/kernel']);
    });
  });

  it('attacks the second expert itself', () => {
    withToy(({ model }) => {
      const attack = pgd({ eps: 0.1, steps: 3, start: 'none', bounds: [-1, 1], goal: 'maxLoss' });
      const objective = withTerms(standard(), [consistency({ attack })]);
      const stacked = objective.perturb!(model, batchOf([[0.5, 0.5], [-0.4, 0.2]], [1, 1]), objectiveContext());
      // Row 0 on expert 1: less of a. Row 1 on expert 0, logits (a, b): more of a, less of b.
      expect(slice(stacked, [2, 0], [2, 2])).toBeAllClose([0.4, 0.5, -0.3, 0.1]);
    });
  });

  it('draws random experts by example id', () => {
    withToy(({ model }) => {
      const views = [[3, 7, 11, 20], [20, 3, 11, 7]].map((ids) => {
        const rows = { ...batchOf(ids.map(() => [0.5, 0.5]), ids.map(() => 1)), ids: Int32Array.from(ids) };
        const objective = withTerms(standard(), [consistency({ attack: pgd({ eps: 0.1, steps: 1, start: 'none', goal: 'maxLoss' }), experts: 'random' })]);
        const moved = slice(objective.perturb!(model, rows, objectiveContext()), [4, 0], [4, 2]).arraySync() as number[][];
        return new Map(ids.map((id, i) => [id, moved[i]!]));
      });
      for (const [id, moved] of views[0]!) expect(views[1]!.get(id)).toEqual(moved);
      expect(new Set([...views[0]!.values()].map(String)).size).toBe(2);
    });
  });
});

describe('prc', () => {
  it('is nearly 0 for confident, even, agreeing gates, and the closed form for uniform ones', () => {
    const rows = [[0.5, 0], [-0.5, 0]];
    withToy(({ model }) => void expect(termOn(model, prc(), batchOf(rows, [0, 1])).value).toBeAllClose(0), { ...TOY, router: [[50, 0], [0, 0]] });
    withToy(({ model }) => void expect(termOn(model, prc(), batchOf(rows, [0, 1])).value).toBeAllClose(0.005 / 4 + 0.05 / 4), { ...TOY, router: [[0, 0], [0, 0]] });
  });

  it('is the hand-worked value', () => {
    withToy(({ model }) => {
      const [a, b, c, d] = [sigmoid(1), sigmoid(0.5), sigmoid(-0.6), sigmoid(-1.1)];
      // C = (2 / 2) Σ of outer products of (a, 1 − a), (b, 1 − b) and of (c, 1 − c), (d, 1 − d)
      const diagonal = [a * b + c * d, (1 - a) * (1 - b) + (1 - c) * (1 - d)];
      const other = [a * (1 - b) + c * (1 - d), (1 - a) * b + (1 - c) * d];
      const expected = (2 * ((diagonal[0]! - 1) ** 2 + (diagonal[1]! - 1) ** 2)) / 2 + (3 * (other[0]! ** 2 + other[1]! ** 2)) / 2;
      expect(termOn(model, prc({ diagonal: 2, offDiagonal: 3 }), batchOf([[0.5, 0], [-0.3, 0]], [0, 1]), shifting(-0.25)).value).toBeAllClose(expected, { rtol: 1e-4 });
    });
  });
});

describe('withTerms', () => {
  it('adds to every step of an objective, and hands each the inputs that it made', () => {
    withToy(({ model }) => {
      const seen: Tensor[] = [];
      const step = (by: number): ObjectiveStep => ({
        perturb: (_model, { inputs }) => add(inputs, by),
        displace: (_model, inputs) => (seen.push(inputs), {}),
        carry: (inputs, gradient) => (seen.push(inputs, gradient), inputs),
        moves: (name) => name === String(by),
        loss: (on, inputs, batch, context) => (seen.push(inputs), standard().loss(on, inputs, batch, context)),
      });
      const objective = withTerms({ name: 'two', options: {}, steps: [step(1), step(2)] }, [routerMargin({ weight: 1 }), routerKl({ attack: kl }), consistency({ experts: 'all' })]);
      expect(objective.name).toBe('two+router-margin+router-kl+expert-consistency');
      expect(JSON.parse(JSON.stringify(objective.options))).toEqual(objective.options);
      const batch = batchOf([[0.5, 0.2]], [0]);
      const steps = 'steps' in objective ? objective.steps : [];
      expect(steps).toHaveLength(2);
      steps.forEach((each, i) => {
        const stacked = each.perturb!(model, batch, objectiveContext());
        expect(stacked.shape).toEqual([1 + 0 + 1 + 2, 2]);
        each.displace!(model, stacked, batch, objectiveContext());
        each.loss(model, stacked, batch, objectiveContext());
        each.carry!(stacked, stacked, batch, objectiveContext());
        seen.splice(0).forEach((inputs) => expect(inputs).toBeAllClose([1.5 + i, 1.2 + i]));
        expect([1, 2].map((by) => each.moves!(String(by)))).toEqual([i === 0, i === 1]);
      });
    });
  });

  it('refuses terms of one name, none, and names that the objective uses', () => {
    const margin = routerMargin({ weight: 1 });
    expect(() => withTerms(standard(), [])).toThrow('withTerms: terms must hold at least one term');
    expect(() => withTerms(standard(), [margin, margin])).toThrow('withTerms: terms must have different names');
    expect(() => withTerms({} as never, [margin])).toThrow('withTerms: objective must be an Objective');
    withToy(({ model }) => {
      const objective = withTerms(standard(), [{ ...margin, name: 'ce' }]);
      const batch = batchOf([[0, 0]], [0]);
      expect(() => objective.loss(model, batch.inputs, batch, objectiveContext())).toThrow("withTerms: terms must have names that the objective does not use for its own, got 'ce'.");
    });
  });
});

describe('options of terms', () => {
  it('are refused by name, rule and value', () => {
    expect(() => routerKl({ weight: -1 })).toThrow('routerKl: weight must be a finite number ≥ 0, got -1.');
    expect(() => routerKl({ attack: pgd({ eps: 0.1 }) })).toThrow("routerKl: attack.options.goal must not be 'misclassify'");
    expect(() => prc({ diagonals: 1 } as never)).toThrow("prc: unknown option 'diagonals'. Did you mean 'diagonal'?");
    expect(() => routerMargin({ margin: 1 } as never)).toThrow('routerMargin: weight must be a finite number ≥ 0, got undefined.');
    expect(() => consistency({ experts: 'worst' as never })).toThrow("expertConsistency: experts must be one of 'second', 'random', 'all', got 'worst'.");
    withToy(({ model }) => {
      const batch = batchOf([[0.5, 0.2]], [0]);
      expect(() => termOn(model, routerMargin({ weight: 1, layers: ['other'] }), batch)).toThrow("routerMargin: layers must name MoE layers (moe), got 'other'.");
      const soft = { ...model, moeLayers: model.moeLayers.map((layer) => ({ ...layer, topK: 2 })) };
      expect(() => termOn(soft, routerMargin({ weight: 1 }), batch)).toThrow("routerMargin: layers must choose fewer experts than they have, got 'none that does'.");
    });
  });
});
