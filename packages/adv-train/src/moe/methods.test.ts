import '../gradients.js';
import { type Scalar, mul, neg, pad, reshape, scalar, softplus, sum, tensor, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { pgd } from '@moe/attacks';
import { type ForwardOptions, type MoeModel, createRng } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import type { SingleObjective, TrainingBatch } from '../objectives/objective.js';
import { pgdAdversarial } from '../objectives/pgd-adversarial.js';
import { sgd } from '../optimizers/sgd.js';
import { shifting } from '../testing/attacks.js';
import type { TestModel } from '../testing/models.js';
import { memoryStore } from '../testing/store.js';
import { tinyRun } from '../testing/tiny-run.js';
import { toyMoe } from '../testing/toy-moe.js';
import { objectiveContext } from '../testing/context.js';
import { gradientsOf } from '../testing/weight-gradients.js';
import { dualModel, dualWeights } from './dual-model.js';
import { rtEr } from './rt-er.js';
import { vmoeAdversarialFineTuning } from './v-moe-fine-tuning.js';

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));
/** Cross-entropy with class 1 of two logits whose difference is z. */
const lossOfOne = (z: number): number => Math.log1p(Math.exp(-z));
const still = shifting(0);
const attack = pgd({ eps: 0.1, steps: 2, goal: 'maxLoss' });

/** Two numbers in, expert 0 where the first is above 0: (a, b) → (a, b), or (0, a). */
const tiny = (): TestModel => toyMoe({ router: [[2, 0], [0, 0]], experts: [[[1, 0], [0, 1]], [[0, 1], [0, 0]]] });

/** A toy for the rows of {@link tinyBatches}, that sends about half of them to either expert. */
function random(seed: number, name = 'moe', noise = 0.1): TestModel {
  const matrix = (label: string) => Array.from({ length: 4 }, (_, row) => Array.from(createRng(seed).stream(label).at(row).normal(2)));
  const router = matrix('router').map((row, i) => [row[0]! / 4 + [3, -3, 2, -2][i]!, row[1]! / 4]);
  return toyMoe({ router, experts: [matrix('expert0'), matrix('expert1')], noise, name });
}

function dual(seed: number, noise = 0.1) {
  const [standardPart, robustPart] = [random(seed, 'moe', noise), random(seed + 10, 'moe', noise)];
  return {
    standard: standardPart,
    robust: robustPart,
    target: {
      model: dualModel(standardPart.model, robustPart.model),
      weights: dualWeights(standardPart.weights, robustPart.weights),
      values: () => ({ ...Object.fromEntries(Object.entries(standardPart.values()).map(([k, v]) => [`standard/${k}`, v])), ...Object.fromEntries(Object.entries(robustPart.values()).map(([k, v]) => [`robust/${k}`, v])) }),
      dispose: () => [standardPart, robustPart].forEach((part) => part.dispose()),
    } satisfies TestModel,
  };
}

function batchOf(rows: readonly (readonly number[])[], labels: readonly number[]): TrainingBatch {
  return { inputs: tensor(rows.flat(), [rows.length, rows[0]!.length]), labels: tensor1d([...labels], 'int32'), ids: Int32Array.from(labels.keys()) };
}

/** Loss of one step of an objective, and its gradients by weight. */
function lossOf(target: TestModel, objective: SingleObjective, batch: TrainingBatch) {
  const { perturb, loss } = objective;
  const context = objectiveContext();
  const inputs = perturb?.(target.model, batch, context) ?? batch.inputs;
  const { total, terms } = loss(target.model, inputs, batch, context);
  const gradients = target.weights.length === 0 ? {} : gradientsOf(target, () => loss(target.model, inputs, batch, context).total);
  return { total: total.dataSync()[0]!, terms: Object.fromEntries(Object.entries(terms).map(([name, term]) => [name, term.dataSync()[0]!])), gradients };
}

const METHODS: readonly [string, () => TestModel, SingleObjective, readonly string[]][] = [
  ...(['paper', 'released', 'fixed'] as const).map((variant): [string, () => TestModel, SingleObjective, string[]] => [`rtEr, ${variant}`, () => random(1), rtEr({ attack, variant }), ['ce', 'aux', 'expert-consistency']]),
  ['vmoeAdversarialFineTuning', () => random(1), vmoeAdversarialFineTuning({ eps: 0.1, steps: 2, variant: 'fixed', attackAux: true }), ['ce', 'aux']],
];

describe.each(METHODS)('%s', (_, make, objective, terms) => {
  it('trains, records its terms, resumes to the same bits, and keeps no tensor', async () => {
    await expectTensorsKept(0, async () => {
      const [whole, broken] = [make(), make()];
      const run = { objective, epochs: 1, batchesPerEpoch: 2 };
      const { history } = await tinyRun(whole, run);
      expect(Object.keys(history.epochs[0]!.terms).toSorted()).toEqual(terms.toSorted());
      expect(new Set(history.epochs[0]!.routing.map(({ layer }) => layer))).toEqual(new Set(whole.model.moeLayers.map(({ name }) => name)));

      const checkpoint = memoryStore();
      const controller = new AbortController();
      await expect(tinyRun(broken, { ...run, checkpoint, signal: controller.signal, onEvent: ({ type }) => void (type === 'step' && controller.abort()) })).rejects.toThrow('aborted');
      expect((await tinyRun(broken, { ...run, checkpoint })).history).toEqual(history);
      expect(broken.values()).toEqual(whole.values());
      [whole, broken].forEach((target) => target.dispose());
    });
  });

  it('has options that survive JSON', () => {
    expect(JSON.parse(JSON.stringify(objective.options))).toEqual(objective.options);
  });

  it('stays in ball and bounds, and keeps what it made for attacks to itself', () => {
    const target = make();
    tidy(() => {
      const batch = batchOf([[0.02, 0.5, 0.98, 0.3], [0.6, 0.4, 0.2, 0.95]], [0, 1]);
      const made = expectTensorsKept(1, () => objective.perturb!(target.model, batch, objectiveContext()));
      const [clean, moved] = [batch.inputs.dataSync(), made.dataSync()];
      expect(moved.length % clean.length).toBe(0);
      expect(moved).toBeWithin(0, 1);
      moved.forEach((value, i) => expect(Math.abs(value - clean[i % clean.length]!)).toBeWithin(0, 0.1 + 1e-6));
    });
    target.dispose();
  });
});

describe('rtEr', () => {
  it('is PGD training, bit for bit, without its second term', async () => {
    const [a, b] = [random(1), random(1)];
    await tinyRun(a, { objective: rtEr({ attack, variant: 'paper', beta: 0 }), optimizer: sgd() });
    await tinyRun(b, { objective: pgdAdversarial({ attack, batchNorm: 'running' }), optimizer: sgd() });
    expect(a.values()).toEqual(b.values());
    [a, b].forEach((target) => target.dispose());
  });

  it('is the hand-worked sum', () => {
    const target = tiny();
    tidy(() => {
      // (.5, .3) moves to (.25, .05): expert 0 then gives a lead of −.2 of class 1; expert 1, the second, gives a lead of a.
      const { terms, total } = lossOf(target, rtEr({ attack: shifting(-0.25), variant: 'paper', beta: 2 }), batchOf([[0.5, 0.3]], [1]));
      const coins = (p: number, q: number): number => p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q));
      expect(terms).toMatchObject({ ce: expect.closeTo(lossOfOne(-0.2), 5), 'expert-consistency': expect.closeTo(2 * coins(sigmoid(0.5), sigmoid(0.25)), 5) });
      expect(total).toBeAllClose(Object.values(terms).reduce((a, b) => a + b), { rtol: 1e-4 });
    });
    target.dispose();
  });

  it('gives the router no gradient as released, that of the chosen expert as published, and that of all experts as fixed', () => {
    const target = tiny();
    tidy(() => {
      const batch = batchOf([[0.5, 0.3]], [1]);
      const slopes = (variant: 'paper' | 'released' | 'fixed') => lossOf(target, rtEr({ attack: still, variant, beta: 1 }), batch).gradients['moe/router/kernel'] ?? [0, 0, 0, 0];
      expect(slopes('released').every((slope) => slope === 0)).toBe(true);
      // Both outputs are known: f0 = (.5, .3), f1 = (0, .5); dCE/df = (p0, −p0), p0 = σ(.2). Gates (g, 1 − g), g = σ(1), dg/ds = g (1 − g); the balance loss of one row is .1 Σ g².
      const [p0, g] = [sigmoid(0.2), sigmoid(1)];
      const aux = 0.2 * (g - (1 - g));
      const through = (towards: number): number => 0.5 * g * (1 - g) * (towards + aux);
      expect(slopes('paper')[0]!).toBeAllClose(through(p0 * 0.2), { rtol: 1e-4 });
      expect(slopes('fixed')[0]!).toBeAllClose(through(p0 * 0.2 - p0 * -0.5), { rtol: 1e-4 });
    });
    target.dispose();
  });

  it('runs in evaluation mode as released', () => {
    const target = tiny();
    tidy(() => {
      const seen: ForwardOptions[] = [];
      const model: MoeModel = { ...target.model, forward: (inputs, options = {}) => (seen.push(options), target.model.forward(inputs, options)) };
      for (const variant of ['released', 'paper'] as const) {
        lossOf({ ...target, model }, rtEr({ attack: still, variant }), batchOf([[0.5, 0.3]], [1]));
        expect(seen.splice(0).some(({ training }) => training === true)).toBe(variant === 'paper');
      }
    });
    target.dispose();
  });
});

describe('dualModel', () => {
  const logitsOf = (alpha: number, combine: 'probabilities' | 'logits'): number[] => {
    const [a, b] = [toyMoe({ router: [[1, 0]], experts: [[[1, 0]], [[0, 0]]] }), toyMoe({ router: [[1, 0]], experts: [[[0, 3]], [[0, 0]]] })];
    const result = tidy(() => Array.from(dualModel(a.model, b.model, { alpha, combine }).forward(tensor2d([[0.5]])).logits.dataSync()));
    [a, b].forEach((part) => part.dispose());
    return result;
  };

  it('mixes probabilities, or logits, as worked by hand', () => {
    // Logits (.5, 0) and (0, 1.5).
    const p = 0.3 * sigmoid(0.5) + 0.7 * sigmoid(-1.5);
    expect(logitsOf(0.7, 'probabilities')).toBeAllClose([Math.log(p), Math.log(1 - p)]);
    expect(logitsOf(0, 'probabilities')).toBeAllClose([Math.log(sigmoid(0.5)), Math.log(sigmoid(-0.5))]);
    expect(logitsOf(1, 'probabilities')).toBeAllClose([Math.log(sigmoid(-1.5)), Math.log(sigmoid(1.5))]);
    expect(logitsOf(0.7, 'logits')).toBeAllClose([0.15, 1.05]);
  });

  it('tells and steers the layers of both parts under their names', () => {
    const { target, standard: own, robust } = dual(3);
    tidy(() => {
      const x = tensor2d([[0.1, 0.2, 0.3, 0.4]]);
      expect(target.model.moeLayers.map(({ name }) => name)).toEqual(['standard/moe', 'robust/moe']);
      const { routing, auxLoss } = target.model.forward(x);
      expect(routing.map(({ layer }) => layer)).toEqual(['standard/moe', 'robust/moe']);
      expect(auxLoss).toBeAllClose(own.model.forward(x).auxLoss.dataSync()[0]! + robust.model.forward(x).auxLoss.dataSync()[0]!);
      const fixed = target.model.forward(x, { experts: { 'robust/moe': 1 } });
      expect(fixed.routing.map(({ layer }) => layer)).toEqual(['standard/moe']);
      const parts = [own.model.forward(x).logits, robust.model.forward(x, { experts: { moe: 1 } }).logits].map((logits) => Array.from(logits.dataSync()));
      const [s, r] = parts.map(([first, second]) => sigmoid(second! - first!));
      expect(fixed.logits.dataSync()[1]!).toBeAllClose(Math.log(0.3 * s! + 0.7 * r!));
      expect(() => target.model.forward(x, { experts: { moe: 1 } })).toThrow("forward: experts must name MoE layers (standard/moe, robust/moe), got 'moe'.");
      expect(() => dualModel(own.model, robust.model, { alpha: 2 })).toThrow('dualModel: alpha must be a finite number in [0, 1], got 2.');
    });
    target.dispose();
  });
});

describe('vmoeAdversarialFineTuning', () => {
  /** Logits (0, w·x) with a balance loss that is made of x. */
  const linear = (w: readonly number[], aux: (x: ReturnType<typeof tensor2d>) => Scalar): MoeModel => ({
    moeLayers: [],
    forward: (inputs) => {
      const x = reshape(inputs, [inputs.shape[0]!, w.length]) as ReturnType<typeof tensor2d>;
      return { logits: pad(sum(mul(x, [[...w]]), 1, true), [[0, 0], [1, 0]]) as never, routing: [], auxLoss: aux(x) };
    },
  });
  const batch = () => batchOf([[0.5, 0.5, 0.02]], [1]);
  const perturbed = (model: MoeModel, options: Parameters<typeof vmoeAdversarialFineTuning>[0]): number[] =>
    tidy(() => Array.from(vmoeAdversarialFineTuning(options).perturb!(model, batch(), objectiveContext()).dataSync()));

  it('goes the whole way along the sign, beyond the bounds only as released', () => {
    const model = linear([2, -1, 3], () => scalar(0));
    expect(perturbed(model, { eps: 0.1, steps: 10, variant: 'released' })).toBeAllClose([0.4, 0.6, -0.08]);
    expect(perturbed(model, { eps: 0.1, steps: 10, variant: 'fixed' })).toBeAllClose([0.4, 0.6, 0]);
    expect(perturbed(model, { eps: 0, variant: 'fixed' })).toBeAllClose([0.5, 0.5, 0.02]);
  });

  it('does not move where the balance loss, attacked as well, takes back what the cross-entropy gives', () => {
    // CE = ln(1 + exp(−w·x)), and a balance loss of just the opposite.
    const model = linear([2, -1, 3], (x) => neg(sum(softplus(neg(sum(mul(x, [[2, -1, 3]]), 1))))) as Scalar);
    expect(perturbed(model, { eps: 0.1, steps: 2, variant: 'fixed' })).toBeAllClose([0.4, 0.6, 0]);
    const stronger = linear([2, -1, 3], (x) => mul(neg(sum(softplus(neg(sum(mul(x, [[2, -1, 3]]), 1))))), 2) as Scalar);
    expect(perturbed(stronger, { eps: 0.1, steps: 2, variant: 'fixed', attackAux: true })).toBeAllClose([0.6, 0.4, 0.12]);
  });

  it('shows each step the model in training mode, with noise of its own, and leaves running statistics to the pass that counts', () => {
    const target = random(1);
    tidy(() => {
      const seen: ForwardOptions[] = [];
      const model: MoeModel = { ...target.model, forward: (inputs, options = {}) => (seen.push(options), target.model.forward(inputs, options)) };
      lossOf({ ...target, model, weights: [] }, vmoeAdversarialFineTuning({ eps: 0.1, steps: 2, variant: 'fixed' }), batchOf([[0.1, 0.2, 0.3, 0.4]], [0]));
      expect(seen.map(({ training, updateStatistics }) => [training, updateStatistics]).slice(0, 3)).toEqual([[true, false], [true, false], [true, undefined]]);
      expect(new Set(seen.slice(0, 3).map(({ rng }) => rng!.stream('x').uniform(1)[0])).size).toBe(3);
    });
    target.dispose();
  });
});

describe('options of methods', () => {
  it('are refused by name, rule and value', () => {
    expect(() => rtEr({ attack } as never)).toThrow("rtEr: variant must be one of 'paper', 'released', 'fixed', got undefined.");
    expect(() => vmoeAdversarialFineTuning({ eps: 0.1, variant: 'paper' as never })).toThrow("vmoeAdversarialFineTuning: variant must be one of 'released', 'fixed', got 'paper'.");
    expect(() => vmoeAdversarialFineTuning({ eps: 0.1, variant: 'fixed', bounds: [1, 0] })).toThrow('bounds must be [low, high] with low < high, got [1, 0].');
  });
});
