import { tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { type Attack, type Compile, type LogitsFn, createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { apgd } from './apgd.js';
import { apgdTargeted } from './apgd-targeted.js';
import { fab } from './fab/fab.js';
import { fabTargeted } from './fab/fab-targeted.js';
import { fgsm } from './fgsm.js';
import { pgd } from './pgd.js';
import { square } from './square.js';
import { predictions, tinyNet } from './testing/models.js';

/** Notes which functions are compiled, and how often they are called. */
function recording() {
  const calls: number[] = [];
  const compile: Compile = (fn) => {
    const index = calls.push(0) - 1;
    return ((...args: never[]) => (calls[index]!++, fn(...args))) as typeof fn;
  };
  return { calls, compile };
}

const ATTACKS: readonly (readonly [name: string, make: (compile?: Compile) => Attack])[] = [
  ['fgsm', (compile) => fgsm({ eps: 0.05, ...(compile && { compile }) })],
  ['pgd', (compile) => pgd({ eps: 0.05, steps: 4, loss: 'cw', ...(compile && { compile }) })],
  ['pgd for training', (compile) => pgd({ eps: 0.05, steps: 4, norm: 'L2', goal: 'maxLoss', ...(compile && { compile }) })],
  ['apgd', (compile) => apgd({ eps: 0.05, steps: 8, loss: 'dlr', ...(compile && { compile }) })],
  ['apgdTargeted', (compile) => apgdTargeted({ eps: 0.05, steps: 8, ...(compile && { compile }) })],
  ['fab', (compile) => fab({ eps: 0.05, steps: 4, norm: 'L2', ...(compile && { compile }) })],
  ['fabTargeted', (compile) => fabTargeted({ eps: 0.05, steps: 4, ...(compile && { compile }) })],
  ['square', (compile) => square({ eps: 0.05, queries: 20, ...(compile && { compile }) })],
];

describe.each(ATTACKS)('%s with compile', (_, make) => {
  const net = tinyNet(6, 3, 1);
  const inputs = createRng(2).uniform(24 * 6);
  const attack = (by: Attack, model: LogitsFn) =>
    tidy(() => {
      const x = tensor2d(inputs, [24, 6]);
      const { adversarial, success, loss } = by.perturb(model, x, tensor1d(predictions(net, x), 'int32'), { rng: createRng(1) });
      return { adversarial: Array.from(adversarial.dataSync()), success: Array.from(success.dataSync()), loss: Array.from(loss.dataSync()) };
    });

  it('finds what it finds without', () => {
    const eager = attack(make(), net);
    const compiled = attack(make(recording().compile), net);
    expect(compiled.adversarial).toBeAllClose(eager.adversarial, { atol: 1e-5 });
    expect(compiled.success).toEqual(eager.success);
    expect(compiled.loss).toBeAllClose(eager.loss, { rtol: 1e-4, atol: 1e-5 });
  });

  it('runs every pass compiled, and compiles two functions for a model', () => {
    const { calls, compile } = recording();
    let passes = 0;
    const model: LogitsFn = (x) => (passes++, net(x));
    const by = make(compile);
    attack(by, model);
    attack(by, model);
    expect(calls).toHaveLength(2);
    expect(calls[0]! + calls[1]!).toBe(passes);
    attack(by, net);
    expect(calls).toHaveLength(4);
  });

  it('records the same options', () => {
    expect(make(recording().compile)).toMatchObject({ name: make().name, options: make().options });
    expect(make(recording().compile).options).not.toHaveProperty('compile');
  });

  it('refuses what is no function', () => {
    expect(() => make('jit' as unknown as Compile)).toThrow(/compile must be a function, got 'jit'\. Pass jit/);
  });
});
