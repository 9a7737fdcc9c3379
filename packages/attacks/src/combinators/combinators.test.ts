import { type Tensor, type Tensor2D, add, dispose, mul, reshape, sum, tensor, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { type Attack, type LogitsFn, createRng } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { apgd } from '../apgd.js';
import { fab } from '../fab/fab.js';
import { fgsm } from '../fgsm.js';
import { pgd } from '../pgd.js';
import { square } from '../square.js';
import { counted, linearModel, predictions, tinyNet } from '../testing/models.js';
import { sequence } from './sequence.js';
import { transferFrom } from './transfer-from.js';
import { withEot } from './with-eot.js';
import { withRestarts } from './with-restarts.js';
import { worstOf } from './worst-of.js';

const ROWS = 24;
const net = tinyNet(6, 3, 7);
const images = createRng(3).uniform(6 * ROWS);
const labelsOf = (model: LogitsFn): Int32Array => tidy(() => predictions(model, tensor(images, [ROWS, 6])));

function run(attack: Attack, model: LogitsFn = net, labels = labelsOf(net)) {
  return tidy(() => {
    const { adversarial, success, loss } = attack.perturb(model, tensor2d(images.slice(), [ROWS, 6]), tensor1d(labels, 'int32'), { rng: createRng(1) });
    return { adversarial: Array.from(adversarial.dataSync()), success: Array.from(success.dataSync()), loss: Array.from(loss.dataSync()) };
  });
}

const count = (flags: readonly number[]): number => flags.reduce((a, b) => a + b, 0);

/** Attacks whose parts throw at a later pass, by their combinator. */
const COMBINED: readonly (readonly [name: string, attack: Attack])[] = [
  ['withRestarts', withRestarts(fgsm({ eps: 0.03, start: 'uniform' }), 3)],
  ['withEot', withEot(pgd({ eps: 0.03, steps: 3 }), 2)],
  ['worstOf', worstOf('two', [fgsm({ eps: 0.03 }), pgd({ eps: 0.1, norm: 'L2', steps: 3 })])],
  ['transferFrom', transferFrom('transfer', tinyNet(6, 3, 8), pgd({ eps: 0.03, steps: 3, goal: 'maxLoss' }))],
];

describe.each(COMBINED)('%s', (_, attack) => {
  it('keeps three tensors, and none when a model throws', () => {
    const [x, y] = [tensor2d(images.slice(), [ROWS, 6]), tensor1d(labelsOf(net), 'int32')];
    const { adversarial, success, loss } = expectTensorsKept(3, () => attack.perturb(net, x, y, { rng: createRng(1) }));
    let calls = 0;
    const failing: LogitsFn = (input, draw) => {
      if (++calls > 1) throw new Error('enough');
      return net(input, draw);
    };
    expectTensorsKept(0, () => expect(() => attack.perturb(failing, x, y, { rng: createRng(1) })).toThrow('enough'));
    dispose([x, y, adversarial, success, loss]);
  });

  it('is a frozen value whose options survive JSON, and hold those of its parts', () => {
    expect(Object.isFrozen(attack) && Object.isFrozen(attack.options)).toBe(true);
    expect(JSON.parse(JSON.stringify(attack.options))).toEqual(attack.options);
    expect(attack.options).toMatchObject({ bounds: [0, 1], attacks: [{ options: { bounds: [0, 1] } }, ...('norm' in attack.options ? [] : [{ name: 'pgd' }])] });
  });

  it('returns rows that are wrong from the start bit for bit', () => {
    const labels = labelsOf(net);
    const wrong = labels.map((label, row) => (row % 3 === 0 ? (label + 1) % 3 : label));
    const { adversarial, success } = run(attack, net, wrong);
    for (let row = 0; row < ROWS; row += 3) {
      expect(adversarial.slice(6 * row, 6 * row + 6)).toEqual(Array.from(images.slice(6 * row, 6 * row + 6)));
      expect(success[row]).toBe(1);
    }
  });
});

describe('withRestarts', () => {
  const single = fgsm({ eps: 0.03, start: 'uniform' });

  it('begins with the attack alone, and never does worse for more runs', () => {
    expect(run(withRestarts(single, 1))).toEqual(run(single));
    const outcomes = [1, 2, 4, 8].map((restarts) => run(withRestarts(single, restarts)));
    for (const [i, fewer] of outcomes.slice(0, -1).entries()) {
      const more = outcomes[i + 1]!;
      fewer.success.forEach((success, row) => {
        expect(more.success[row]!).toBeGreaterThanOrEqual(success);
        if (more.success[row] === success) expect(more.loss[row]!).toBeGreaterThanOrEqual(fewer.loss[row]!);
      });
    }
    expect(outcomes[3]!.loss.some((loss, row) => loss > outcomes[0]!.loss[row]!)).toBe(true);
  });

  it('keeps the highest loss of every row where the attack asks for it', () => {
    const trained = fgsm({ eps: 0.03, start: 'uniform', goal: 'maxLoss' });
    const [one, many] = [run(trained), run(withRestarts(trained, 4))];
    expect(many.loss.every((loss, row) => loss >= one.loss[row]!)).toBe(true);
    expect(many.loss.some((loss, row) => loss > one.loss[row]! && one.success[row] === 1)).toBe(true);
    expect(withRestarts(trained, 4).options).toMatchObject({ goal: 'maxLoss', restarts: 4, eps: 0.03 });
  });

  it('costs the passes of the attack for each run, and no more', () => {
    const { counts, wrapped } = counted(net);
    // Alone: the clean input, the start with its slopes, the step.
    run(withRestarts(fgsm({ eps: 1e-6, start: 'uniform' }), 4), wrapped);
    expect(counts).toMatchObject({ forward: 4 * 3, backward: 4 });
  });

  it('gives square its second run, and is named after both', () => {
    const attack = withRestarts(square({ eps: 0.03, queries: 20 }), 2);
    expect(attack).toMatchObject({ name: 'square:restarts-2', access: 'score' });
    expect(count(run(attack).success)).toBeGreaterThanOrEqual(count(run(square({ eps: 0.03, queries: 20 })).success));
    expect(() => withRestarts(single, 0)).toThrow(/restarts must be an integer ≥ 1/);
  });
});

describe('withEot', () => {
  it('finds what the attack alone finds, where there is no noise', () => {
    for (const attack of [pgd({ eps: 0.05, steps: 5 }), apgd({ eps: 0.05, steps: 5, loss: 'dlr' }), square({ eps: 0.05, queries: 10 })]) {
      const [alone, mean] = [run(attack), run(withEot(attack, 3))];
      expect(mean.success).toEqual(alone.success);
      expect(mean.adversarial).toBeAllClose(alone.adversarial, { atol: 1e-5 });
    }
    expect(withEot(pgd({ eps: 0.05 }), 20)).toMatchObject({ name: 'pgd:eot-20', options: { draws: 20, eps: 0.05, attacks: [{ name: 'pgd' }] } });
  });

  it('follows the mean slope where single draws mislead', () => {
    // Of two classes: slope 1 + 8 ξ along every one of 6 coordinates, ξ of mean 0; one draw has the wrong sign nearly every second time.
    const noisy: LogitsFn = (x, draw) => {
      const slopes = draw!.rng.normal(6, 1, 8);
      return mul(add(sum(mul(reshape(x, [x.shape[0]!, 6]), tensor1d(slopes)), 1, true), -99), [[0, 1]]) as Tensor2D;
    };
    // A single long step ends where the sign of the mean gradient says; its distance from the corner counts the wrong signs.
    const wrongSigns = (draws: number): number => {
      const attack = withEot(fgsm({ eps: 0.1, goal: 'lastStep' }), draws);
      let wrong = 0;
      for (let seed = 1; seed <= 40; seed++) {
        wrong += tidy(() => {
          const x = tensor2d([new Array(6).fill(0.5)]);
          return Array.from(attack.perturb(noisy, x, tensor1d([0], 'int32'), { rng: createRng(seed) }).adversarial.dataSync()).filter((value) => value < 0.5).length;
        });
      }
      return wrong / 240;
    };
    // Φ(-√draws / 8): 0.450, 0.106.
    expect(wrongSigns(1)).toBeWithin(0.45 - 0.1, 0.45 + 0.1);
    expect(wrongSigns(100)).toBeWithin(0.106 - 0.06, 0.106 + 0.06);
  });

  it('costs so many times as many passes', () => {
    const { counts, wrapped } = counted(net);
    run(withEot(pgd({ eps: 1e-5, steps: 4, start: 'none' }), 3), wrapped);
    expect(counts).toMatchObject({ forward: 15, backward: 12 });
  });
});

describe('worstOf', () => {
  const parts = [fgsm({ eps: 0.04 }), apgd({ eps: 0.1, norm: 'L2', steps: 10 }), fab({ eps: 0.04, steps: 5 })];

  it('gives every row the verdict of a sequence, and a loss by one measure that none of its parts exceeds', () => {
    const together = run(worstOf('all', parts));
    expect(together.success).toEqual(run(sequence('all', parts)).success);
    const crossEntropy = (points: number[]): number[] => run(fgsm({ eps: 0, goal: 'lastStep' }), (x) => net(add(mul(x, 0), tensor2d(points, [ROWS, 6])) as Tensor)).loss;
    expect(together.loss).toBeAllClose(crossEntropy(together.adversarial), { rtol: 1e-5 });
    for (const part of parts) {
      const losses = crossEntropy(run(part).adversarial);
      together.success.forEach((success, row) => success === 0 && expect(together.loss[row]!).toBeGreaterThanOrEqual(losses[row]! - 1e-5));
    }
  });

  it('keeps for training the higher loss of all parts, also of rows that are fooled', () => {
    const [a, b] = [pgd({ eps: 0.04, steps: 3, goal: 'maxLoss', label: 'a' }), pgd({ eps: 0.1, norm: 'L2', steps: 3, goal: 'maxLoss', label: 'b' })];
    const [first, second, both] = [run(a), run(b), run(worstOf('union', [a, b]))];
    expect(both.loss).toBeAllClose(first.loss.map((loss, row) => Math.max(loss, second.loss[row]!)), { rtol: 1e-5 });
    expect(worstOf('union', [a, b]).options).toMatchObject({ goal: 'maxLoss' });
    expect(worstOf('union', [a, b]).options).not.toHaveProperty('norm');
  });

  it('costs the passes of its parts and one forward pass for each', () => {
    const { counts, wrapped } = counted(net);
    run(worstOf('two', [fgsm({ eps: 1e-6 }), pgd({ eps: 1e-6, steps: 4, start: 'none' })]), wrapped);
    expect(counts).toMatchObject({ forward: 2 + 1 + 5 + 1, backward: 1 + 4 });
  });

  it('refuses other bounds and targets', () => {
    expect(() => worstOf('x', [fgsm({ eps: 1 }), pgd({ eps: 1, bounds: [0, 255] })])).toThrow('worstOf: attacks must have the same bounds, got [[0,1], [0,255]].');
    expect(() => worstOf('x', [fgsm({ eps: 1, target: 'random' })])).toThrow(/target of 'fgsm' must be 'none', got 'random'/);
    expect(() => worstOf('x', [fgsm({ eps: 1 }), fgsm({ eps: 2 })])).toThrow(/worstOf: attacks must have distinct names/);
  });
});

describe('transferFrom', () => {
  // The source reads the first coordinate, the attacked model the first or the second.
  const reads = (which: number): LogitsFn => linearModel([0, 1].map((i) => [0, i === which ? 1 : 0]), [0.55, 0]);
  const attack = transferFrom('transfer', reads(0), pgd({ eps: 0.1, steps: 5, goal: 'maxLoss' }));
  const perturb = (model: LogitsFn, inputs: number[][]) => {
    const [x, y] = [tensor2d(inputs), tensor1d(inputs.map(() => 0), 'int32')];
    const found = attack.perturb(model, x, y, { rng: createRng(1) });
    const result = { success: Array.from(found.success.dataSync()), fooledSource: Array.from(found.fooledSource), adversarial: Array.from(found.adversarial.dataSync()) };
    dispose([x, y, found.adversarial, found.success, found.loss]);
    return result;
  };

  it('tells what failed on its source from what did not transfer', () => {
    // 0.5 can be brought over 0.55, 0.3 cannot.
    expect(perturb(reads(0), [[0.5, 0.5], [0.3, 0.5]])).toMatchObject({ success: [1, 0], fooledSource: [1, 0] });
    expect(perturb(reads(1), [[0.5, 0.3], [0.3, 0.3]])).toMatchObject({ success: [0, 0], fooledSource: [1, 0] });
  });

  it('asks the attacked model twice, for no gradient, and is judged by it', () => {
    const { counts, wrapped } = counted(reads(0));
    perturb(wrapped, [[0.5, 0.5]]);
    expect(counts).toMatchObject({ forward: 2, backward: 0 });
    expect(attack).toMatchObject({ name: 'transfer', access: 'decision', options: { eps: 0.1, norm: 'Linf', goal: 'maxLoss' } });
  });

  it('refuses an attack that stops at the first success', () => {
    expect(() => transferFrom('x', net, pgd({ eps: 0.1 }))).toThrow("transferFrom: attack.options.goal must not be 'misclassify', got 'misclassify'. Such a point hardly fools its source; pass goal: 'maxLoss'.");
  });
});
