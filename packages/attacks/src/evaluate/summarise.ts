import { type Bounds, wilsonInterval } from '@moe/core';
import type { Evaluation, RobustResult } from './evaluation.js';
import { findingsOf, trustOf } from './findings.js';
import { type AttackFacts, type Tally, countOnes } from './tally.js';

/** What an evaluation says of itself. */
export type Origin = Pick<Evaluation, 'modelId' | 'seed' | 'draws' | 'engine' | 'versions' | 'shard'> & {
  readonly data: { readonly name: string; readonly split: string; readonly length: number; readonly bounds: Bounds };
};

/** The numbers of a tally, with their reasons for doubt. */
export function summarise(tally: Tally, attacks: readonly AttackFacts[], { data, modelId, seed, draws, engine, versions, shard }: Origin): Evaluation {
  const examples = tally.ids.length;
  const correct = countOnes(tally.clean);
  const robustness = (flags: string): RobustResult => {
    const robust = countOnes(flags);
    return { robust, robustAccuracy: robust / examples, interval: wilsonInterval(robust, examples) };
  };
  const worst = Array.from(tally.clean, (flag, i) => (flag === '1' && attacks.every(({ name }) => tally.robust[name]![i] === '1') ? '1' : '0')).join('');
  const findings = findingsOf(tally, attacks);
  return {
    schema: 'moe.evaluation/1',
    data: { name: data.name, split: data.split, length: data.length, bounds: data.bounds },
    modelId,
    seed,
    draws,
    engine,
    versions,
    shard,
    examples,
    clean: { correct, accuracy: correct / examples, interval: wilsonInterval(correct, examples) },
    attacks: attacks.map(({ name, access, options }) => ({ name, access, options, ...robustness(tally.robust[name]!), meanPerturbation: mean(tally.lengths[name]!) })),
    worstCase: robustness(worst),
    everyDraw: robustness(draws === 1 ? worst : rightInEach(tally, draws)),
    flags: { ids: tally.ids, clean: tally.clean, robust: tally.robust },
    rights: tally.rights,
    perturbations: tally.lengths,
    evidence: tally.signs,
    findings,
    trust: trustOf(findings),
  };
}

/** Flags of the examples that were right in all draws, without attack and under every one. */
function rightInEach({ rights: { clean, robust } }: Tally, draws: number): string {
  return clean.map((count, i) => (count === draws && Object.values(robust).every((counts) => counts[i] === draws) ? '1' : '0')).join('');
}

const mean = (values: readonly number[]): number | null => (values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length);
