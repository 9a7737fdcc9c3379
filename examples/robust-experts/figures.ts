// Figures and answers from finished runs: `pnpm figures [NAME…] [--results DIR] [--data DIR] [--out DIR]`.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeFileAtomic } from '@moe/core/node';
import { useBackend } from '@moe/backend';
import { type ReportSection, htmlReport } from '@moe/report';
import { answerSections } from './figures/answers.js';
import { costSection } from './figures/cost.js';
import { expertsSection, tradeOffSection } from './figures/experts.js';
import { legacySection } from './figures/legacy.js';
import { type FinishedRun, loadRuns } from './figures/load.js';
import { gateSpaceSection, sensitivitySection } from './figures/maps.js';
import { mosaicSection } from './figures/mosaics.js';
import { classesSection, collapseSection, confusionSection, histogramSection } from './figures/routing.js';
import { tablesSection } from './figures/tables.js';
import { telemetrySection } from './figures/telemetry.js';

type Sections = readonly ReportSection[] | Promise<readonly ReportSection[]>;

const FIGURES: Readonly<Record<string, (runs: readonly FinishedRun[], data: string | undefined) => Sections>> = {
  answers: answerSections,
  tables: (runs) => [tablesSection(runs)],
  experts: (runs) => [expertsSection(runs)],
  'trade-off': (runs) => [tradeOffSection(runs)],
  histograms: (runs) => [histogramSection(runs)],
  classes: (runs) => [classesSection(runs)],
  confusion: (runs) => [confusionSection(runs)],
  collapse: (runs) => [collapseSection(runs)],
  telemetry: (runs) => [telemetrySection(runs)],
  // Exact counts of its own; runs do not matter.
  cost: () => [costSection()],
  sensitivity: (runs) => [sensitivitySection(runs)],
  'gate-space': (runs) => [gateSpaceSection(runs)],
  mosaics: async (runs, data) => [await mosaicSection(runs, data)],
  legacy: (runs) => [legacySection(runs)],
};

const HELP = `Figures of Robust Experts from finished runs.

Usage: pnpm figures [NAME…] [--results DIR] [--data DIR] [--out DIR]

  NAME         ${Object.keys(FIGURES).join(', ')} (default all)
  --results    folder with one folder per run (default results/cifar-small)
  --data       where the test images of mosaics are, if not in the folder that the runs name
  --out        where NAME.html, its SVG pictures and its tables as Markdown and LaTeX go (default runs/figures)`;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { results: { type: 'string' }, data: { type: 'string' }, out: { type: 'string' }, help: { type: 'boolean', short: 'h' } } });
const unknown = positionals.find((name) => !Object.hasOwn(FIGURES, name));
if (values.help === true || unknown !== undefined) {
  console[unknown === undefined ? 'log' : 'error'](unknown === undefined ? HELP : `figures: NAME must be one of ${Object.keys(FIGURES).join(', ')}, got ${unknown}.`);
  process.exit(unknown === undefined ? 0 : 2);
}

// Gates of the counted networks are made to be counted.
await useBackend('cpu');
const folder = values.results ?? join(import.meta.dirname, 'results', 'cifar-small');
const out = values.out ?? join('runs', 'figures');
const runs = await loadRuns(folder);
await mkdir(out, { recursive: true });
for (const name of positionals.length > 0 ? positionals : Object.keys(FIGURES)) {
  const sections = await FIGURES[name]!(runs, values.data);
  for (const [i, { title, text = [], table }] of sections.entries()) {
    console.log(`\n## ${title}\n`);
    for (const line of [text].flat()) console.log(`- ${line}`);
    if (table === undefined) continue;
    console.log(`\n${table.toText()}`);
    await writeFileAtomic(join(out, `${name}-${i + 1}.md`), `${table.toMarkdown()}\n`);
    await writeFileAtomic(join(out, `${name}-${i + 1}.tex`), `${table.toLatex()}\n`);
  }
  const figures = sections.flatMap(({ figures: some = [] }) => some);
  for (const [i, figure] of figures.entries()) await writeFileAtomic(join(out, `${name}-${i + 1}.svg`), await figure.toSvg());
  await writeFileAtomic(join(out, `${name}.html`), await htmlReport({ title: `Robust experts: ${name}`, sections, meta: { runs: runs.length } }));
}
console.log(`\n${out}`);
