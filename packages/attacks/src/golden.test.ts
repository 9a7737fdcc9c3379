import { describe, expect, it } from 'vitest';
import golden from '../fixtures/golden.json' with { type: 'json' };
import { type GoldenOutcome, goldenOutcomes } from './testing/golden-cases.js';

// Written by scripts/golden.ts on the engine cpu.
describe('what every attack does for a seed', () => {
  const known = Object.entries(golden as Readonly<Record<string, GoldenOutcome>>);
  let outcomes: Readonly<Record<string, GoldenOutcome>> | undefined;

  it.each(known)('%s is what it was', (name, { success, margins, distances, forward, backward }) => {
    outcomes ??= goldenOutcomes();
    const found = outcomes[name];
    expect(found).toMatchObject({ success, forward, backward });
    expect(found?.margins).toBeAllClose(margins, { rtol: 1e-3, atol: 1e-4 });
    expect(found?.distances).toBeAllClose(distances, { rtol: 1e-3, atol: 1e-4 });
  });

  it('leaves none out', () => {
    outcomes ??= goldenOutcomes();
    expect(Object.keys(outcomes)).toEqual(known.map(([name]) => name));
  });
});
