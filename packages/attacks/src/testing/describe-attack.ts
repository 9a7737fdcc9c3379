// Shapes: B batch, D numbers of one example, M classes.
import { type Tensor, type Tensor2D, add, cast, dispose, greater, mul, ones, slice, sqrt, sum, tensor1d, tensor2d, tensor4d, tidy } from '@tensorflow/tfjs-core';
import { type Attack, type AttackContext, type LogitsFn, type Perturbation, createRng } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { LOSSES, type LossName } from '../losses/losses.js';
import { linearModel, predictions, tinyNet } from './models.js';

export interface AttackTraits {
  readonly norm: AttackNorm;
  /** What is reported; `'zero-one'` is 1 for misclassified rows, else 0. */
  readonly loss: LossName | 'zero-one';
  /** Whether `restarts` may be asked for. */
  readonly restarts: boolean;
  /** Whether the first run starts at the input and only later ones at random. @defaultValue false */
  readonly firstAtInput?: boolean;
  /** By how much a row's result may differ in another batch. @defaultValue 0, equal bit for bit */
  readonly batchRounding?: number;
  /** Whether the loss is an option, not only what is reported. @defaultValue true */
  readonly lossOption?: boolean;
  /** Whether it fools a linear model a thousandth beyond its margin; none does so before. @defaultValue true */
  readonly exact?: boolean;
  /** Makes of each model what the attack needs; it must give the same logits. @defaultValue nothing is needed */
  readonly wrap?: (model: LogitsFn) => LogitsFn;
}

const SHAPE = [2, 3, 1] as const;
const SIZE = 6;
const CLASSES = 3;
const ROWS = 12;

interface Outcome {
  readonly adversarial: Float32Array;
  readonly success: number[];
  readonly loss: Float32Array;
}

/** Runs an attack, takes the numbers out and frees the tensors. */
function run(attack: Attack, model: LogitsFn, inputs: Float32Array, labels: Int32Array, ids: readonly number[], seed = 1): Outcome {
  return tidy(() => {
    const x = tensor4d(inputs.slice(), [labels.length, ...SHAPE]);
    const result = attack.perturb(model, x, tensor1d(labels, 'int32'), { rng: createRng(seed), exampleIds: ids });
    return { adversarial: result.adversarial.dataSync() as Float32Array, success: Array.from(result.success.dataSync()), loss: result.loss.dataSync() as Float32Array };
  });
}

const row = (values: Float32Array, i: number): Float32Array => values.subarray(i * SIZE, (i + 1) * SIZE);

/** Inputs, some exactly on the bounds, with the model's own predictions as labels. */
function sample(model: LogitsFn, count: number, seed: number): { inputs: Float32Array; labels: Int32Array; ids: number[] } {
  const inputs = createRng(seed).uniform(count * SIZE, -0.2, 1.2).map((value) => Math.min(1, Math.max(0, value)));
  const labels = tidy(() => predictions(model, tensor4d(inputs.slice(), [count, ...SHAPE])));
  return { inputs, labels, ids: Array.from({ length: count }, (_, i) => 10 + 3 * i) };
}

/** A linear model of two classes, and three inputs of class 0 that all have the same distance to the boundary, well inside the bounds. */
function linearTask(norm: AttackNorm, seed: number): { model: LogitsFn; x: Float32Array; margin: number } {
  const lead = 0.05;
  const w = Array.from(createRng(seed).uniform(SIZE, -1, 1));
  const dot = (values: readonly number[]): number => w.reduce((total, weight, k) => total + weight * values[k]!, 0);
  const b = -lead - dot(new Array<number>(SIZE).fill(0.5));
  const rows = [0, 1, 2].map((row) => {
    const drawn = Array.from(createRng(seed).stream('x').at(row).uniform(SIZE, 0.4, 0.6));
    // Along the normal to where class 1 is behind by the same.
    return drawn.map((value, k) => value - ((dot(drawn) + b + lead) / dot(w)) * w[k]!);
  });
  const model = linearModel(w.map((weight) => [-weight / 2, weight / 2]), [-b / 2, b / 2]);
  return { model, x: Float32Array.from(rows.flat()), margin: lead / GEOMETRIES[norm].dualLength(Float32Array.from(w)) };
}

/**
 * What every attack of this package must hold to.
 *
 * @param make - makes the attack for a radius; strong enough to reach the far side of a linear model.
 */
export function describeAttack(name: string, make: (options: { eps: number; restarts: number }) => Attack, { norm, loss, restarts, firstAtInput = false, batchRounding = 0, lossOption = true, exact = true, wrap }: AttackTraits): void {
  const { distance } = GEOMETRIES[norm];
  const net = tinyNet(SIZE, CLASSES, 7);
  const byGradient = make({ eps: 1, restarts: 1 }).access === 'gradient';
  const attackOf = (eps: number, count = 1): Attack => {
    const attack = make({ eps, restarts: count });
    return wrap === undefined ? attack : Object.freeze({ ...attack, perturb: (model, ...rest) => attack.perturb(wrap(model), ...rest) } satisfies Attack);
  };

  describe(`${name}: contract`, () => {
    it('stays in ball and bounds, judges its own result rightly, reports the loss there, and fools more rows in a large ball than in a small one', () => {
      const { inputs, labels, ids } = sample(net, ROWS, 3);
      const fooled = [0.003, 0.05, 2].map((eps) => {
        const { adversarial, success, loss: reported } = run(attackOf(eps), net, inputs, labels, ids);
        expect(adversarial).toBeWithin(0, 1);
        labels.forEach((_, i) => expect(distance(row(adversarial, i), row(inputs, i))).toBeLessThanOrEqual(eps * (1 + 1e-6) + 1e-7));
        tidy(() => {
          const points = tensor4d(adversarial, [ROWS, ...SHAPE]);
          expect(success).toEqual(Array.from(predictions(net, points), (prediction, i) => Number(prediction !== labels[i])));
          const logits = net(points).dataSync() as Float32Array;
          const expected = Array.from(labels, (label, i) => (loss === 'zero-one' ? success[i]! : LOSSES[loss](logits, i * CLASSES, CLASSES, label, new Float32Array(logits.length), i).loss));
          expect(reported).toBeAllClose(expected, { rtol: 1e-4, atol: 1e-5 });
        });
        return success.reduce((a, b) => a + b);
      });
      expect(fooled[2]!).toBeGreaterThan(fooled[0]! + 4);
    });

    it('returns rows that are wrong from the start bit for bit', () => {
      const { inputs, labels, ids } = sample(net, 4, 5);
      const wrong = labels.map((label, i) => (i % 2 === 0 ? (label + 1) % CLASSES : label));
      const { adversarial, success } = run(attackOf(0.2), net, inputs, wrong, ids);
      for (const i of [0, 2]) {
        expect(row(adversarial, i)).toEqual(row(inputs, i));
        expect(success[i]).toBe(1);
      }
    });

    it('returns the inputs bit for bit at eps = 0', () => {
      const { inputs, labels, ids } = sample(net, 4, 6);
      const { adversarial, success } = run(attackOf(0), net, inputs, labels, ids);
      expect(adversarial).toEqual(inputs);
      expect(success).toEqual([0, 0, 0, 0]);
    });

    it('gives each row the same result whatever its batch, order, or company', () => {
      const { inputs, labels, ids } = sample(net, 8, 8);
      const whole = run(attackOf(0.08), net, inputs, labels, ids);
      fc.assert(
        fc.property(fc.shuffledSubarray(Array.from(labels.keys()), { minLength: 1 }), (chosen) => {
          const part = new Float32Array(chosen.length * SIZE);
          chosen.forEach((from, to) => part.set(row(inputs, from), to * SIZE));
          const result = run(attackOf(0.08), net, part, Int32Array.from(chosen, (i) => labels[i]!), chosen.map((i) => ids[i]!));
          chosen.forEach((from, to) => {
            expect(row(result.adversarial, to)).toBeAllClose(row(whole.adversarial, from), { rtol: 0, atol: batchRounding });
            expect(result.success[to]).toBe(whole.success[from]);
            expect([result.loss[to]!]).toBeAllClose([whole.loss[from]!], { rtol: 10 * batchRounding, atol: 0 });
          });
        }),
        { numRuns: 3, seed: 2 },
      );
    });

    if (restarts) {
      it('never does worse with more restarts, and draws other starts for another seed', () => {
        const { inputs, labels, ids } = sample(net, 8, 9);
        const [fewer, more] = [1, 3].map((count) => run(attackOf(0.03, count), net, inputs, labels, ids)) as [Outcome, Outcome];
        labels.forEach((_, i) => {
          expect(more.success[i]!).toBeGreaterThanOrEqual(fewer.success[i]!);
          if (more.success[i] === fewer.success[i]) expect(more.loss[i]!).toBeGreaterThanOrEqual(fewer.loss[i]!);
        });
        /** The points of the second pass, the first that an attack chooses. */
        const first = (seed: number): Float32Array => {
          const seen: Float32Array[] = [];
          const model: LogitsFn = (x) => {
            if (seen.push((x.dataSync() as Float32Array).slice()) === 2) throw new Error('seen enough');
            return net(x);
          };
          expect(() => run(attackOf(0.03), model, inputs, labels, ids, seed)).toThrow('seen enough');
          return seen[1]!;
        };
        expect(first(1)).toEqual(first(1));
        if (!firstAtInput) expect(first(1)).not.toEqual(first(2));
      });
    }

    if (restarts && byGradient) {
      it('starts each restart elsewhere', () => {
        const seen: string[] = [];
        const constant: LogitsFn = (x) => (seen.push(x.dataSync().join()), add(mul(net(x), 0), [1, 0, -1]) as Tensor2D);
        run(attackOf(0.1, 3), constant, sample(net, 1, 1).inputs, Int32Array.of(0), [4]);
        // One clean pass, three runs of equal length, and maybe a pass over the result.
        const length = Math.floor((seen.length - 1) / 3);
        expect(new Set([0, 1, 2].map((restart) => seen[1 + restart * length])).size).toBe(3);
      });
    }

    it('fools every row of linear models just beyond its margin and none before', () => {
      for (const seed of [1, 2, 3]) {
        const { model, x, margin } = linearTask(norm, seed);
        const beyond = (factor: number): number[] => run(attackOf(factor * margin), model, x, new Int32Array(3), [0, 1, 2]).success;
        expect(beyond(1 - 1e-3), `model ${seed}`).toEqual([0, 0, 0]);
        if (exact) expect(beyond(1 + 1e-3), `model ${seed}`).toEqual([1, 1, 1]);
      }
    });

    it('fools no constant model, and stays finite', () => {
      const constant: LogitsFn = (x) => add(mul(net(x), 0), [1, 0, -1]) as Tensor2D;
      const { adversarial, success, loss: reported } = run(attackOf(0.1), constant, sample(net, 2, 1).inputs, Int32Array.of(0, 0), [0, 1]);
      expect(success).toEqual([0, 0]);
      expect([...adversarial, ...reported].every(Number.isFinite)).toBe(true);
    });

    const attempt = (change: { model?: LogitsFn; inputs?: Tensor; labels?: number[]; dtype?: 'float32' | 'int32'; context?: Partial<AttackContext> }): Perturbation => {
      const inputs = change.inputs ?? tensor4d(sample(net, 2, 1).inputs, [2, ...SHAPE]);
      const labels = tensor1d(change.labels ?? Array.from(sample(net, 2, 1).labels), change.dtype ?? 'int32');
      try {
        return attackOf(0.001).perturb(change.model ?? net, inputs, labels, { rng: createRng(1), ...change.context });
      } finally {
        dispose([inputs, labels]);
      }
    };

    it('keeps exactly the three tensors that it returns', () => {
      dispose(Object.values(expectTensorsKept(3, () => attempt({}))) as Tensor[]);
    });

    it('keeps nothing when the model throws, at whichever pass', () => {
      for (const last of [0, 1]) {
        let calls = 0;
        const model: LogitsFn = (x) => {
          const logits = net(x);
          if (calls++ === last) throw new Error('out of order');
          return logits;
        };
        expect(() => expectTensorsKept(0, () => attempt({ model }))).toThrow('out of order');
      }
    });

    it('stops within a step when the signal fires, and keeps nothing', () => {
      const stop = new AbortController();
      const steps: number[] = [];
      const onStep = ({ step }: { step: number }): void => {
        steps.push(step);
        stop.abort();
      };
      expect(() => expectTensorsKept(0, () => attempt({ context: { signal: stop.signal, onStep } }))).toThrow(expect.objectContaining({ code: 'ABORTED' }));
      expect(steps).toEqual([0]);
    });

    const gradientRefusals: [string, Parameters<typeof attempt>[0], string, RegExp][] = [
      ['NaN gradients', { model: (x: Tensor) => add(net(x), sum(sqrt(mul(x, 0)))) as Tensor2D }, 'NUMERICS', /input gradient must be finite, got NaN for row 0/],
      ['a model without gradient', { model: (x: Tensor) => cast(greater(net(x), 0), 'float32') as Tensor2D }, 'BACKEND', /model must be differentiable.*Greater/],
    ];
    // What is wrapped reads its input and mixes matrices.
    const bareRefusals: typeof gradientRefusals = [['logits that are no matrix', { model: (x: Tensor) => x as Tensor2D }, 'SHAPE', /logits must have shape \[B,M\]/]];
    if (byGradient) bareRefusals.push(['a model that ignores its input', { labels: [0, 0], model: (x: Tensor) => ones([x.shape[0]!, 3]) as Tensor2D }, 'BACKEND', /model must be differentiable/]);
    it.each([
      ['labels out of range', { labels: [0, 3] }, 'ARGUMENT', /labels\[1\] must be a class index in \[0, 3\), got 3/],
      ['negative labels', { labels: [-1, 0] }, 'ARGUMENT', /labels\[0\] must be a class index/],
      ['labels that are not integers', { dtype: 'float32' }, 'ARGUMENT', /labels must have dtype 'int32'/],
      ['too few labels', { labels: [0] }, 'SHAPE', /labels must have shape \[B\] with B = 2, got \[1\]/],
      ['too few ids', { context: { exampleIds: [1] } }, 'ARGUMENT', /exampleIds must have 2 entries/],
      ['negative ids', { context: { exampleIds: [1, -1] } }, 'ARGUMENT', /exampleIds\[1\] must be an integer ≥ 0/],
      ['NaN logits', { model: (x: Tensor) => mul(net(x), Number.NaN) as Tensor2D }, 'NUMERICS', /logits must be finite, got NaN for row 0/],
      ...(byGradient ? gradientRefusals : []),
      ['logits of one class', { model: (x: Tensor) => slice(net(x), [0, 0], [x.shape[0]!, 1]) }, 'ARGUMENT', /at least 2 classes/],
      ...(wrap === undefined ? bareRefusals : []),
    ] as [string, Parameters<typeof attempt>[0], string, RegExp][])('refuses %s', (_, change, code, message) => {
      const refused = (): void => void expectTensorsKept(0, () => attempt(change));
      expect(refused).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
    });

    it('refuses inputs outside the bounds, with NaN, or of rank 1', () => {
      expect(() => attempt({ inputs: tensor2d([[0, 255]]), labels: [0] })).toThrow(/inputs must lie in bounds \[0, 1\], got \[0, 255\]. Attack in pixel space/);
      expect(() => attempt({ inputs: tensor2d([[0, Number.NaN]]), labels: [0] })).toThrow(/inputs must hold no NaN/);
      expect(() => attempt({ inputs: tensor1d([0, 1]), labels: [0] })).toThrow(/inputs must have shape \[B,…\]/);
      expect(() => attempt({ inputs: tensor2d([], [0, 3]), labels: [] })).toThrow(/inputs must have at least one row/);
    });

    it('is a frozen value whose options survive JSON', () => {
      const attack = attackOf(0.1);
      expect(Object.isFrozen(attack) && Object.isFrozen(attack.options)).toBe(true);
      expect(JSON.parse(JSON.stringify(attack.options))).toEqual(attack.options);
      expect(attack.options).toMatchObject({ eps: 0.1, norm, bounds: [0, 1], ...(lossOption && { loss }) });
    });
  });
}
