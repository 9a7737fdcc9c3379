import { type Tensor2D, concat, onesLike, square, sub, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { type Attack, type LogitsFn, createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { apgd } from './apgd.js';
import { fgsm } from './fgsm.js';
import { type PgdOptions, pgd } from './pgd.js';
import { counted, linearModel, predictions, tinyNet } from './testing/models.js';

interface Outcome {
  readonly adversarial: number[];
  readonly success: number[];
  readonly loss: number[];
}

function attack(by: Attack, model: LogitsFn, inputs: number[][], labels: ArrayLike<number>, exampleIds?: readonly number[]): Outcome {
  return tidy(() => {
    const context = { rng: createRng(1), ...(exampleIds !== undefined && { exampleIds }) };
    const { adversarial, success, loss } = by.perturb(model, tensor2d(inputs), tensor1d(Array.from(labels), 'int32'), context);
    return { adversarial: Array.from(adversarial.dataSync()), success: Array.from(success.dataSync()), loss: Array.from(loss.dataSync()) };
  });
}

/** Points at which a model was run, in order. */
function pathOf(by: Attack, model: LogitsFn, input: number[]): number[][] {
  const path: number[][] = [];
  attack(by, (x, draw) => (path.push(Array.from(x.dataSync())), model(x, draw)), [input], [0]);
  return path;
}

// cw loss z1 - z0 = 0.03 x + 0.04 y - 9, with gradient (0.03, 0.04) of length 0.05.
const plane = linearModel([[0, 0.03], [0, 0.04]], [9, 0]);
const base = { eps: 0.4, steps: 3, stepSize: 0.1, start: 'none', loss: 'cw' } satisfies PgdOptions;

describe('pgd, step rules', () => {
  it.each([
    [{}, [0.6, 0.6]],
    [{ direction: 'unit' }, [0.56, 0.58]],
    [{ norm: 'L2' }, [0.56, 0.58]],
    [{ norm: 'L2', direction: 'sign' }, [0.6, 0.6]],
    [{ direction: 'raw' }, [0.503, 0.504]],
    // Of the cross entropy, the gradient is that of the margin times 1 - p_y = 1 / (1 + e^(9 - 0.035)).
    [{ direction: 'raw', loss: 'ce', stepSize: 100 }, [0.5 + 3 / (1 + Math.exp(8.965)), 0.5 + 4 / (1 + Math.exp(8.965))]],
  ] as [Partial<PgdOptions>, number[]][])('%j', (options, expected) => {
    expect(pathOf(pgd({ ...base, ...options }), plane, [0.5, 0.5])[1]).toBeAllClose(expected, { atol: 1e-6 });
  });

  it.each([
    ['none', [0.1, 0.2, 0.3]],
    ['linear', [0.1, 0.1 + 0.2 / 3, 0.2]],
    ['cosine', [0.1, 0.175, 0.2]], // half a cosine: 1, 3/4, 1/4
  ] as const)('decay %s', (decay, ways) => {
    const path = pathOf(pgd({ ...base, decay }), plane, [0.5, 0.5]);
    expect(path.slice(1).map(([x]) => x! - 0.5)).toBeAllClose(ways, { atol: 1e-6 });
  });
});

describe('pgd, starts', () => {
  const starts = (options: Partial<PgdOptions>): number[][] => {
    const by = pgd({ eps: 0.3, steps: 0, restarts: 50, ...options });
    return pathOf(by, linearModel([[9], [9], [9], [9]].map(([w]) => [w!, 0]), [0, 0]), [0.5, 0.5, 0.5, 0.5]).slice(1).map((point) => point.map((value) => value - 0.5));
  };

  it('adds normal noise of the given deviation, 0.001 unless said', () => {
    for (const [options, std] of [[{}, 1e-3], [{ startSize: 0.05 }, 0.05]] as const) {
      const noise = starts({ start: 'normal', ...options }).flat();
      expect(Math.sqrt(noise.reduce((total, value) => total + value ** 2, 0) / noise.length) / std).toBeWithin(0.85, 1.15);
    }
  });

  it('adds noise of one size and either sign, half of eps unless said', () => {
    const noise = starts({ start: 'sign' }).flat();
    expect(noise.map(Math.abs)).toBeAllClose(noise.map(() => 0.15), { atol: 1e-6 });
    expect(noise.filter((value) => value > 0).length).toBeWithin(70, 130);
  });

  it('starts in a smaller ball, and never outside its own', () => {
    expect(starts({ start: 'uniform', startSize: 0.05 }).flat()).toBeWithin(-0.05 - 1e-6, 0.05 + 1e-6);
    for (const start of ['uniform', 'normal', 'sign', 'boundary'] as const) expect(starts({ start, startSize: 9, norm: 'Linf' }).flat()).toBeWithin(-0.3 - 1e-6, 0.3 + 1e-6);
  });
});

describe('pgd, goals', () => {
  it('returns the last point under lastStep, even of lower loss', () => {
    // The loss -(x - 0.6)² peaks at 0.6; steps of 0.25 pass it and come back: 0.75, 0.5, 0.75.
    const hill: LogitsFn = (x) => concat([square(sub(x, 0.6)), onesLike(x)], 1) as Tensor2D;
    const options = { eps: 0.4, steps: 3, stepSize: 0.25, start: 'none', loss: 'cw' } as const;
    const [last, highest] = (['lastStep', 'maxLoss'] as const).map((goal) => attack(pgd({ ...options, goal }), hill, [[0.5]], [0]));
    expect(last!.adversarial).toBeAllClose([0.75]);
    expect(highest!.adversarial).toBeAllClose([0.5]);
  });

  it('moves a row by the divergence from its clean output, whatever its label, for TRADES', () => {
    const net = tinyNet(6, 3, 1);
    const inputs = Array.from({ length: 8 }, (_, i) => Array.from(createRng(i + 1).uniform(6, 0.2, 0.8)));
    const labels = tidy(() => predictions(net, tensor2d(inputs)));
    const { counts, wrapped } = counted(net);
    const inner = pgd({ eps: 0.05, steps: 10, stepSize: 0.0125, loss: 'kl', start: 'normal', goal: 'lastStep' });
    const { adversarial, loss } = attack(inner, wrapped, inputs, labels);
    expect(counts).toMatchObject({ forward: 12, backward: 10 });
    expect(attack(inner, net, inputs, labels.map((label) => (label + 1) % 3)).adversarial).toEqual(adversarial);
    const noise = attack(pgd({ eps: 0.05, steps: 0, loss: 'kl', start: 'boundary', goal: 'lastStep' }), net, inputs, labels).loss;
    loss.forEach((value, row) => expect(value).toBeGreaterThan(noise[row]!));
  });

  it('takes kl for AutoPGD and FGSM, too, but not from the clean input, where it has no gradient', () => {
    const net = tinyNet(6, 3, 1);
    const input = Array.from(createRng(5).uniform(6, 0.2, 0.8));
    const label = tidy(() => predictions(net, tensor2d([input])));
    for (const by of [apgd({ eps: 0.01, steps: 5, loss: 'kl' }), fgsm({ eps: 0.01, loss: 'kl', start: 'uniform' })]) {
      expect(attack(by, net, [input], label).loss[0]!).toBeGreaterThan(1e-4);
    }
    expect(() => fgsm({ eps: 0.1, loss: 'kl' })).toThrow("fgsm: start must not be 'none' with loss 'kl', got 'none'. The divergence has no gradient at the clean input.");
    expect(() => pgd({ eps: 0.1, loss: 'kl', start: 'none' })).toThrow(/pgd: start must not be 'none' with loss 'kl'/);
  });
});

describe('fgsm, starts', () => {
  it('steps from a random corner by what is left of eps', () => {
    const options = fgsm({ eps: 0.2, start: 'sign', startSize: 0.05 }).options;
    expect([options.startSize, options.stepSize]).toBeAllClose([0.05, 0.15]);
    // Along a linear loss every coordinate ends 0.05 before or at the corner.
    const ends = attack(fgsm({ eps: 0.2, start: 'sign', startSize: 0.05, loss: 'cw', goal: 'lastStep' }), plane, Array.from({ length: 20 }, () => [0.5, 0.5]), new Array(20).fill(0)).adversarial;
    for (const end of ends) expect(Math.min(Math.abs(end - 0.6), Math.abs(end - 0.7))).toBeLessThan(1e-6);
    expect(new Set(ends.map((end) => end.toFixed(2)))).toEqual(new Set(['0.60', '0.70']));
  });
});

describe('target', () => {
  // Label 0 leads by 0.1; class 1 gains with x, class 2 with y.
  const model = linearModel([[0, 1, 0], [0, 0, 1]], [0.6, 0, 0]);
  const makers = [
    ['fgsm', (options: object) => fgsm({ eps: 0.11, ...options })],
    ['pgd', (options: object) => pgd({ eps: 0.11, steps: 10, ...options })],
    ['apgd', (options: object) => apgd({ eps: 0.11, steps: 10, ...options })],
  ] as [string, (options: object) => Attack][];

  describe.each(makers)('%s', (_, make) => {
    it.each(['ce', 'cw', 'dlr'])('is taken for its target by %s just beyond the boundary and not before', (loss) => {
      const { adversarial, success } = attack(make({ target: [2, 1], loss, eps: 0.1001 }), model, [[0.5, 0.5], [0.5, 0.5]], [0, 0]);
      expect(success).toEqual([1, 1]);
      expect(Array.from(tidy(() => predictions(model, tensor2d(adversarial, [2, 2]))))).toEqual([2, 1]);
      expect(attack(make({ target: [2, 1], loss, eps: 0.0999 }), model, [[0.5, 0.5], [0.5, 0.5]], [0, 0]).success).toEqual([0, 0]);
    });

    it('finds by example id what it is to be taken for', () => {
      const { adversarial } = attack(make({ target: [9, 9, 2, 1] }), model, [[0.5, 0.5], [0.5, 0.5]], [0, 0], [3, 2]);
      expect(Array.from(tidy(() => predictions(model, tensor2d(adversarial, [2, 2]))))).toEqual([1, 2]);
      expect(() => attack(make({ target: [1] }), model, [[0.5, 0.5]], [0], [1])).toThrow(/target must list more than 1 examples, one by each id, got 1/);
      expect(() => attack(make({ target: [0] }), model, [[0.5, 0.5]], [0])).toThrow(/target\[0\] must differ from the label, got 0/);
      expect(() => attack(make({ target: [3] }), model, [[0.5, 0.5]], [0])).toThrow(/target of row 0 must be a class index in \[0, 3\), got 3/);
    });

    it('is not content with another class', () => {
      // Class 1 is near, class 2 out of reach.
      const near = linearModel([[0, 1, 0], [0, 0, 1]], [0.51, 0, -9]);
      expect(attack(make({ target: [2] }), near, [[0.5, 0.5]], [0]).success).toEqual([0]);
      expect(attack(make({}), near, [[0.5, 0.5]], [0]).success).toEqual([1]);
    });
  });

  it('chooses the likeliest or the least likely class, or any', () => {
    const net = tinyNet(6, 5, 11);
    const inputs = Array.from({ length: 60 }, (_, i) => Array.from(createRng(i + 1).uniform(6)));
    const logits = tidy(() => net(tensor2d(inputs)).arraySync());
    const labels = logits.map((row) => row.indexOf(Math.max(...row)));
    const ranked = logits.map((row) => row.map((_, j) => j).toSorted((a, b) => row[b]! - row[a]!));
    const reached = (target: 'runner-up' | 'least-likely' | 'random'): (number | undefined)[] => {
      const { adversarial, success } = attack(pgd({ eps: 1, steps: 40, stepSize: 0.05, target, loss: 'cw' }), net, inputs, labels);
      const found = tidy(() => predictions(net, tensor2d(adversarial, [60, 6])));
      return success.map((value, row) => (value === 1 ? found[row]! : undefined));
    };
    const hits = (found: (number | undefined)[]) => found.filter((value) => value !== undefined).length;
    const [first, last, any] = [reached('runner-up'), reached('least-likely'), reached('random')];
    for (const found of [first, last, any]) expect(hits(found)).toBeGreaterThan(10);
    first.forEach((found, row) => found !== undefined && expect(found).toBe(ranked[row]![1]));
    last.forEach((found, row) => found !== undefined && expect(found).toBe(ranked[row]![4]));
    const ranks = any.flatMap((found, row) => (found === undefined ? [] : [ranked[row]!.indexOf(found)]));
    expect(new Set(ranks)).toEqual(new Set([1, 2, 3, 4]));
    // Drawn for the example, not for its place.
    const alone = attack(pgd({ eps: 1, steps: 40, stepSize: 0.05, target: 'random', loss: 'cw' }), net, [inputs[7]!], [labels[7]!], [7]);
    expect(alone.success[0] === 1 ? tidy(() => predictions(net, tensor2d([alone.adversarial])))[0] : undefined).toBe(any[7]);
  });

  it.each([
    [{ target: 'hardest' }, /target must be one of 'none', 'runner-up', 'least-likely', 'random'/],
    [{ target: [1.5] }, /target\[0\] must be an integer ≥ 0/],
    [{ target: 'random', loss: 'kl' }, /target must be 'none' with loss 'kl'/],
    [{ target: 'random', compile: <F>(fn: F) => fn }, /target must be 'none' with compile/],
    [{ direction: 'up' }, /direction must be one of/],
    [{ decay: 'fast' }, /decay must be one of/],
    [{ startSize: -1 }, /startSize must be a finite number ≥ 0/],
    [{ goal: 'lastStep', restarts: 2 }, /restarts must be 1 with goal 'lastStep'/],
    [{ eps: [0.1, -1] }, /eps\[1\] must be a finite number ≥ 0/],
  ] as [Partial<PgdOptions>, RegExp][])('refuses %j', (options, message) => {
    expect(() => pgd({ eps: 0.1, ...options })).toThrow(message);
  });
});

describe('eps by example', () => {
  const net = tinyNet(6, 3, 7);
  const inputs = Array.from({ length: 6 }, (_, i) => Array.from(createRng(i + 1).uniform(6)));
  const radii = [0.2, 0, 0.01, 0.05, 0.1, 0.3];

  it.each([
    ['fgsm', (eps: number | readonly number[]) => fgsm({ eps, start: 'sign' })],
    ['pgd', (eps: number | readonly number[]) => pgd({ eps, steps: 5 })],
    ['pgd L2', (eps: number | readonly number[]) => pgd({ eps, steps: 5, norm: 'L2', start: 'boundary' })],
    ['apgd', (eps: number | readonly number[]) => apgd({ eps, steps: 5 })],
    ['apgd L1', (eps: number | readonly number[]) => apgd({ eps, steps: 12, norm: 'L1' })],
  ])('%s gives each example what it gets with its radius alone', (_, make) => {
    const ids = [3, 0, 5, 1, 4, 2];
    const labels = tidy(() => predictions(net, tensor2d(inputs)));
    const by = make(radii);
    const together = attack(by, net, ids.map((id) => inputs[id]!), ids.map((id) => labels[id]!), ids);
    ids.forEach((id, row) => {
      const alone = attack(make(radii[id]!), net, [inputs[id]!], [labels[id]!], [id]);
      expect(together.adversarial.slice(6 * row, 6 * row + 6)).toEqual(alone.adversarial);
    });
    expect(JSON.parse(JSON.stringify(by.options))).toEqual(by.options);
    expect(by.options).toMatchObject({ eps: radii });
    expect(() => attack(by, net, [inputs[0]!], [labels[0]!], [6])).toThrow(/eps must list more than 6 examples, one by each id, got 6/);
  });
});
