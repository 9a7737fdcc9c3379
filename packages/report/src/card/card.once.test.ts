import { wilsonInterval } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { elements, parseXml, textOf } from '../internal/xml-in-tests.js';
import { htmlReport } from '../report/html-report.js';
import { markdownReport } from '../report/markdown-report.js';
import type { CardEvaluation, CardFinding } from './card-input.js';
import { robustnessCard } from './robustness-card.js';
import { robustnessVerdict } from './verdict.js';

const result = (robust: number) => ({ robustAccuracy: robust / 100, interval: wilsonInterval(robust, 100) });
const evaluation: CardEvaluation = {
  data: { name: 'Fashion-MNIST', split: 'test' },
  modelId: 'abc',
  seed: 1,
  engine: 'wasm',
  versions: { '@moe/attacks': '0.1.0' },
  examples: 100,
  clean: { accuracy: 0.9, interval: wilsonInterval(90, 100) },
  attacks: [
    { name: 'pgd', options: { eps: 8 / 255, norm: 'Linf' }, meanPerturbation: 0.0312, ...result(45) },
    { name: 'own', options: {}, meanPerturbation: null, ...result(40) },
  ],
  worstCase: result(38),
  findings: [],
};
const doubt = (id: string, severity: CardFinding['severity']): CardFinding => ({ id, severity, message: `Message of ${id}.`, advice: `Advice of ${id}.` });
const measures = { robust: 0.5, robustHalfEps: 0.75, robustDoubleEps: 0.25, robustTransfer: null, plantedFound: 1 };
const diagnosis = { eps: 0.5, norm: 'L2', examples: [1, 2, 3], measures, findings: [] as CardFinding[] };

describe('robustnessVerdict', () => {
  const verdict = (...findings: CardFinding[]) => robustnessVerdict({ evaluation: { ...evaluation, findings } });

  it('calls the number an upper bound, and names the first doubt', () => {
    expect(verdict()).toBe('Robust accuracy is at most 38.0 % [29.1, 47.8]: stronger attacks may find more. No check found a reason to doubt it.');
    expect(verdict(doubt('half-precision', 'suspect'))).toMatch(/at most 38.0 % .* It is in doubt: Message of half-precision.$/);
  });

  it('says plainly when a model only looks robust, or when there is no number', () => {
    const masked = verdict(doubt('batch-dependent', 'suspect'), doubt('weights-changed', 'invalid'), doubt('zero-gradient', 'invalid'));
    expect(masked).toBe('This model only looks robust. The attacks leave 38.0 % [29.1, 47.8], but because they fail, not because the model withstands: Message of zero-gradient.');
    expect(verdict(doubt('weights-changed', 'invalid'))).toBe('There is no valid number. Message of weights-changed.');
    const weak = { ...evaluation, worstCase: result(0), findings: [doubt('zero-gradient', 'invalid')] };
    expect(robustnessVerdict({ evaluation: weak })).toBe('There is no valid number. Message of zero-gradient.');
  });

  it('hears the diagnosis too', () => {
    const found = { ...diagnosis, findings: [doubt('noise-stronger', 'invalid')] };
    expect(robustnessVerdict({ evaluation, diagnosis: found })).toMatch(/^This model only looks robust/);
  });
});

describe('robustnessCard', () => {
  it('shows accuracy, threat, attacks, doubts and how to repeat it, in Markdown', () => {
    const found = { ...evaluation, findings: [doubt('batch-dependent', 'suspect'), doubt('zero-gradient', 'invalid')] };
    const text = markdownReport(robustnessCard({ name: 'ResNet-18', evaluation: found, diagnosis, meta: { command: 'pnpm start' } }));
    expect(text).toMatch(/^# ResNet-18\n\nRobustness on 100 examples of Fashion-MNIST, test\n\n## Verdict\n\nThis model only looks robust/);
    for (const line of ['| Clean accuracy | 90.0 % \\[82.6, 94.5\\] |', '| Threat | Linf, eps 8/255 |', '| pgd | Linf, eps 8/255 | 45.0 % \\[35.6, 54.8\\] | 0.0312 |', '| 75.0 % | left in half the radius |', '- command: pnpm start', '- seed: 1']) {
      expect(text).toContain(line);
    }
    expect(text).toMatch(/\n\ninvalid, zero-gradient: Message of zero-gradient. Advice of zero-gradient.\n\nsuspect, batch-dependent: Message/);
    expect(text).toMatch(/\| – \| left by points from the twin/);
  });

  it('is a well-formed page with a curve over the radius', async () => {
    const root = parseXml(await htmlReport(robustnessCard({ name: 'a <b>', evaluation, diagnosis })));
    expect(elements(root, 'h1').map(textOf)).toEqual(['a <b>']);
    expect(elements(root, 'h2').map(textOf)).toEqual(['Verdict', 'Attacks', 'Reasons for doubt', 'Experiments of known outcome', 'About this run']);
    expect(elements(root, 'svg')).toHaveLength(1);
  });

  it('leaves out experiments that were not made or failed', () => {
    const titles = (extra: object) => robustnessCard({ name: 'a', evaluation, ...extra }).sections.map(({ title }) => title);
    expect(titles({})).toEqual(['Verdict', 'Attacks', 'Reasons for doubt']);
    expect(titles({ diagnosis: { ...diagnosis, measures: null } })).toEqual(['Verdict', 'Attacks', 'Reasons for doubt']);
  });

  it('names what is wrong', () => {
    expect(() => robustnessCard({ name: ' ', evaluation })).toThrow("robustnessCard: name must be a text, got ' '.");
    expect(() => robustnessCard({ name: 'a', evaluation, diagnosi: diagnosis } as object as Parameters<typeof robustnessCard>[0])).toThrow("Did you mean 'diagnosis'?");
  });
});
