import '../gradients.js';
import { type Scalar, mul, neg, pad, reshape, scalar, softplus, sum, tensor, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { pgd } from '@moe/attacks';
import { type ForwardOptions, type MoeModel, createRng } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import type { Objective, ObjectiveStep, TrainingBatch } from '../objectives/objective.js';
import { objectiveSteps } from '../objectives/objective.js';
import { pgdAdversarial } from '../objectives/pgd-adversarial.js';
import { standard } from '../objectives/standard.js';
import { sgd } from '../optimizers/sgd.js';
import { shifting } from '../testing/attacks.js';
import { objectiveContext } from '../testing/context.js';
import { tinyBatches } from '../testing/data.js';
import type { TestModel } from '../testing/models.js';
import { memoryStore } from '../testing/store.js';
import { tinyRun } from '../testing/tiny-run.js';
import { toyMoe } from '../testing/toy-moe.js';
import { gradientsOf } from '../testing/weight-gradients.js';
import { advMoe } from './adv-moe.js';
import { dualModel, dualWeights } from './dual-model.js';
import { jtdMoe } from './jtd-moe.js';
import { isRouterWeight } from './router-weights.js';
import { rtEr } from './rt-er.js';
import { vmoeAdversarialFineTuning } from './v-moe-fine-tuning.js';

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));
/** Cross-entropy with class 1 of two logits whose difference is z. */
const lossOfOne = (z: number): number => Math.log1p(Math.exp(-z));
const still = shifting(0);
const attack = pgd({ eps: 0.1, steps: 2, goal: 'maxLoss' });
const kl = pgd({ eps: 0.1, steps: 2, loss: 'kl', start: 'normal', goal: 'lastStep' });

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
function lossOf(target: TestModel, objective: Objective, batch: TrainingBatch, step = 0) {
  const { perturb, loss } = objectiveSteps(objective)[step]!;
  const context = objectiveContext({ weights: target.weights });
  const inputs = perturb?.(target.model, batch, context) ?? batch.inputs;
  const { total, terms } = loss(target.model, inputs, batch, context);
  const gradients = target.weights.length === 0 ? {} : gradientsOf(target, () => loss(target.model, inputs, batch, context).total);
  return { total: total.dataSync()[0]!, terms: Object.fromEntries(Object.entries(terms).map(([name, term]) => [name, term.dataSync()[0]!])), gradients };
}

// Other variants are in moe.contract.test.ts.
const METHODS: readonly [string, () => TestModel, Objective, readonly string[]][] = [
  ['rtEr, released', () => random(1), rtEr({ attack, variant: 'released' }), ['ce', 'aux', 'expert-consistency']],
  ['rtEr, fixed', () => random(1), rtEr({ attack, variant: 'fixed' }), ['ce', 'aux', 'expert-consistency']],
  ['advMoe, paper', () => random(1), advMoe({ attack: kl, variant: 'paper' }), ['ce', 'kl', 'aux', 'router-aux', 'router-ce', 'router-kl']],
  ['advMoe, fixed', () => random(1), advMoe({ attack: kl, variant: 'fixed' }), ['ce', 'kl', 'aux', 'router-aux', 'router-ce', 'router-kl', 'gate-kl']],
  ['jtdMoe, paper', () => dual(1).target, jtdMoe({ attack, variant: 'paper' }), ['ce', 'aux', 'expert-consistency', 'dual-ce', 'dual-aux']],
  ['jtdMoe, released', () => dual(1).target, jtdMoe({ attack, variant: 'released' }), ['ce', 'aux', 'expert-consistency', 'dual-ce', 'dual-aux']],
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
      for (const { perturb } of objectiveSteps(objective)) {
        if (perturb === undefined) continue;
        const made = expectTensorsKept(1, () => perturb(target.model, batch, objectiveContext({ weights: target.weights })));
        const [clean, moved] = [batch.inputs.dataSync(), made.dataSync()];
        expect(moved.length % clean.length).toBe(0);
        expect(moved).toBeWithin(0, 1);
        moved.forEach((value, i) => expect(Math.abs(value - clean[i % clean.length]!)).toBeWithin(0, 0.1 + 1e-6));
      }
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

describe('advMoe', () => {
  it('moves the routers in the second step and all else in the first', async () => {
    const target = random(1);
    const before = target.values();
    const objective = advMoe({ attack: kl, variant: 'paper' });
    const only = (step: number): Objective => ({ ...objective, steps: [objective.steps[step]!] });
    const movedBy = async (step: number): Promise<string[]> => {
      const start = target.values();
      await tinyRun(target, { objective: only(step), optimizer: sgd(), batchesPerEpoch: 1, epochs: 1, data: tinyBatches(12, 12) });
      const end = target.values();
      return Object.keys(before).filter((name) => String(start[name]) !== String(end[name]));
    };
    expect(await movedBy(0)).toEqual(['moe/expert0/kernel', 'moe/expert1/kernel']);
    expect(await movedBy(1)).toEqual(['moe/router/kernel']);
    target.dispose();
  });

  it('is cross-entropy where nothing is attacked', () => {
    const target = tiny();
    tidy(() => {
      const batch = batchOf([[0.5, 0.3], [-0.4, 0.2]], [1, 0]);
      const first = lossOf(target, advMoe({ attack: still, variant: 'fixed' }), batch);
      const plain = lossOf(target, standard(), batch);
      expect(first.total).toBeAllClose(plain.total);
      expect(first.terms['kl']).toBe(0);
      const second = lossOf(target, advMoe({ attack: still, variant: 'fixed' }), batch, 1);
      expect(second.terms).toMatchObject({ 'router-kl': 0, 'gate-kl': 0, 'router-ce': first.terms['ce'] });
    });
    target.dispose();
  });

  it('teaches the router as released to sort by class: the hand-worked loss and gradient', () => {
    const target = tiny();
    tidy(() => {
      // Classes 0 … 3 and two experts; gates (σ(1), σ(−1)); expert 3 mod 2 = 1 is wanted.
      const { terms, gradients } = lossOf(target, advMoe({ attack: shifting(-0.25), variant: 'released', beta: 2, labelWeight: 3 }), batchOf([[0.5, 0.3]], [1]), 1);
      const coins = (p: number, q: number): number => p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q));
      expect(terms['router-label']).toBeAllClose(3 * lossOfOne(-1), { rtol: 1e-4 });
      expect(terms['gate-kl']).toBeAllClose(2 * coins(sigmoid(1), sigmoid(0.5)), { rtol: 1e-4 });
      // No expert is reached by the label loss.
      expect(Object.entries(gradients).filter(([, slopes]) => slopes.some((slope) => slope !== 0)).map(([name]) => name)).toEqual(['moe/router/kernel']);
      const alone = lossOf(target, advMoe({ attack: still, variant: 'released', beta: 0, labelWeight: 3 }), batchOf([[0.5, 0.3]], [1]), 1).gradients['moe/router/kernel']!;
      const [g] = [sigmoid(1)];
      expect(alone[0]!).toBeAllClose(0.5 * (3 * g + 0.2 * (2 * g - 1) * g * (1 - g)), { rtol: 1e-4 });
    });
    target.dispose();
  });

  it('attacks classes and gates together', () => {
    // Classes see b alone, gates a alone: an attack on both moves both.
    const target = toyMoe({ router: [[2, 0], [0, 0]], experts: [[[0, 0], [1, 0]], [[0, 0], [1, 0]]] });
    tidy(() => {
      const batch = batchOf([[0.5, 0.5]], [0]);
      const { perturb } = objectiveSteps(advMoe({ attack: kl, variant: 'paper' }))[0]!;
      const moved = perturb!(target.model, batch, objectiveContext()).dataSync();
      moved.forEach((value) => expect(Math.abs(value - 0.5)).toBeAllClose(0.1, { atol: 1e-3 }));
    });
    target.dispose();
  });

  it('asks which weights are routers if none is', async () => {
    const target = random(1);
    const renamed = { ...target, weights: target.weights.map((weight) => ({ ...weight, name: weight.name.replace('router', 'gating') })) };
    await expect(tinyRun(renamed, { objective: advMoe({ attack: kl, variant: 'paper' }) })).rejects.toThrow(/advMoe: routerWeights must hold for a trainable weight, got .*gating/);
    await tinyRun(renamed, { objective: advMoe({ attack: kl, variant: 'paper', routerWeights: (name) => name.includes('gating') }), epochs: 1 });
    expect(['layer4.0/router/kernel', 'gate/kernel', 'layer4.0/expert1/conv1/kernel', 'router/kernel'].map(isRouterWeight)).toEqual([true, true, false, false]);
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

describe('jtdMoe', () => {
  it('moves the robust part in its first step and the standard part in its second', async () => {
    const { target } = dual(1);
    const objective = jtdMoe({ attack, variant: 'paper' });
    const movedBy = async (step: number): Promise<Set<string>> => {
      const start = target.values();
      await tinyRun(target, { objective: { ...objective, steps: [objective.steps[step]!] }, batchesPerEpoch: 1, epochs: 1, data: tinyBatches(12, 12) });
      const end = target.values();
      return new Set(Object.keys(start).filter((name) => String(start[name]) !== String(end[name])).map((name) => name.split('/')[0]!));
    };
    expect(await movedBy(0)).toEqual(new Set(['robust']));
    expect(await movedBy(1)).toEqual(new Set(['standard']));
    target.dispose();
  });

  it('moves the standard part twice by one gradient as released, and no router', async () => {
    const movedBy = async (variant: 'paper' | 'released', updates?: number): Promise<Record<string, number[]>> => {
      const { target } = dual(1, 0);
      const start = target.values();
      const steps = jtdMoe({ attack, variant }).steps.map((step, i) => (i === 1 && updates !== undefined ? { ...step, updates } : step));
      const objective = { ...jtdMoe({ attack, variant }), steps };
      await tinyRun(target, { objective, optimizer: sgd(), batchesPerEpoch: 1, epochs: 1, data: tinyBatches(12, 12) });
      const end = target.values();
      target.dispose();
      return Object.fromEntries(Object.entries(end).map(([name, values]) => [name, values.map((value, i) => value - start[name]![i]!)]));
    };
    const [released, once, paper] = [await movedBy('released'), await movedBy('released', 1), await movedBy('paper')];
    for (const part of ['standard', 'robust']) {
      const ratio = part === 'standard' ? 2 : 1;
      for (const expert of [0, 1]) {
        const name = `${part}/moe/expert${expert}/kernel`;
        expect(released[name]!).toBeAllClose(once[name]!.map((value) => ratio * value), { atol: 1e-6 });
      }
      const router = `${part}/moe/router/kernel`;
      expect(released[router]!.every((value) => value === 0), router).toBe(true);
      expect(paper[router]!.some((value) => value !== 0), router).toBe(true);
    }
  });

  it('has the loss of the mixture, and the sum over all experts of the robust part', () => {
    const { target, robust } = dual(2, 0);
    tidy(() => {
      const batch = batchOf([[0.1, 0.2, 0.3, 0.4], [0.9, 0.1, 0.5, 0.2]], [0, 1]);
      const expected = lossOf({ ...robust, weights: [] }, rtEr({ attack, variant: 'paper' }), batch).terms['ce']!;
      const first = lossOf(target, jtdMoe({ attack, variant: 'paper', beta: 1 }), batch);
      expect(first.terms['ce']).toBeAllClose(expected);
      const logits = target.model.forward(batch.inputs).logits.dataSync();
      expect(lossOf(target, jtdMoe({ attack, variant: 'paper' }), batch, 1).terms['dual-ce']).toBeAllClose(
        -(logits[0]! + logits[3]!) / 2,
        { rtol: 1e-4 },
      );
      expect(lossOf(target, jtdMoe({ attack: still, variant: 'paper', beta: 1 }), batch).terms['expert-consistency']).toBe(0);
    });
    target.dispose();
  });

  it('refuses a model that is not dual', () => {
    const target = random(1);
    tidy(() => void expect(() => lossOf(target, jtdMoe({ attack, variant: 'paper' }), batchOf([[0.1, 0.2, 0.3, 0.4]], [0]))).toThrow("jtdMoe: model must be a dual model, got 'another'. Make one with dualModel(standard, robust)."));
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
    tidy(() => Array.from((vmoeAdversarialFineTuning(options) as ObjectiveStep).perturb!(model, batch(), objectiveContext()).dataSync()));

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
    expect(() => advMoe({ attack: pgd({ eps: 0.1 }), variant: 'paper' })).toThrow("advMoe: attack.options.goal must not be 'misclassify'");
    expect(() => jtdMoe({ attack, variant: 'paper', beta: -1 })).toThrow('jtdMoe: beta must be a finite number ≥ 0, got -1.');
    expect(() => vmoeAdversarialFineTuning({ eps: 0.1, variant: 'paper' as never })).toThrow("vmoeAdversarialFineTuning: variant must be one of 'released', 'fixed', got 'paper'.");
    expect(() => vmoeAdversarialFineTuning({ eps: 0.1, variant: 'fixed', bounds: [1, 0] })).toThrow('bounds must be [low, high] with low < high, got [1, 0].');
  });
});
