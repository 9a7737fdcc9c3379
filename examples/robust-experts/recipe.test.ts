import { describe, expect, it } from 'vitest';
import { EXPERIMENTS } from './presets/index.js';
import { epochsOf, objectiveOf, scheduleOf } from './recipe.js';
import { expandRuns } from './runs.js';

function configOf(method: string) {
  const runs = expandRuns({ base: 'paper', rows: EXPERIMENTS.x8.rows, scale: {}, overrides: [{ data: { folder: 'x' } }], axes: [], seeds: null });
  if ('problem' in runs) throw new Error(runs.problem.message);
  return runs.find(({ name }) => name.includes(method))!.config;
}

describe('the recipe of a training', () => {
  it('is the method that the configuration names, at its radius', () => {
    const eps = 8 / 255;
    expect(objectiveOf('dense', configOf('pgd-7'))).toMatchObject({ name: 'pgd-adversarial', options: { attack: { options: { eps, steps: 7 } } } });
    expect(objectiveOf('dense', configOf('fast'))).toMatchObject({ name: 'fast-adversarial', options: { eps, stepSize: 1.25 * eps } });
    expect(objectiveOf('dense', configOf('free'))).toMatchObject({ name: 'free-adversarial', options: { eps, replays: 4 } });
  });

  it('moves the weights as often with every method, and ends at the rate at which it is to end', () => {
    expect(['pgd-7', 'fast', 'free'].map((method) => epochsOf(configOf(method)))).toEqual([200, 200, 50]);
    const free = configOf('free');
    expect(scheduleOf(free).rate(epochsOf(free), epochsOf(free))).toBeCloseTo(0, 6);
  });
});
