// Answers and figures from finished runs: `pnpm figures [--results DIR] [--out DIR]`.
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeFileAtomic } from '@moe/core/node';
import { readJson } from '@moe/experiments';
import { htmlReport } from '@moe/report';
import { answerSections } from './answers.js';
import { files } from './files.js';
import type { Results } from './records.js';

const { values } = parseArgs({ options: { results: { type: 'string', default: join(import.meta.dirname, 'results', 'fashion-small') }, out: { type: 'string', default: join('runs', 'moe-robustness-figures') } } });
const names = existsSync(values.results) ? await readdir(values.results) : [];
const runs = (await Promise.all(names.map((name) => readJson<Results>(files.results(join(values.results, name)))))).filter((run) => run !== undefined);
if (runs.length === 0) {
  console.error(`figures: no finished run in ${values.results}.`);
  process.exit(1);
}
const sections = answerSections(runs);
await mkdir(values.out, { recursive: true });
for (const { title, text = [], table } of sections) {
  console.log(`\n## ${title}\n`);
  for (const line of [text].flat()) console.log(`- ${line}`);
  if (table !== undefined) console.log(`\n${table.toMarkdown()}`);
}
const figures = sections.flatMap(({ figures: some = [] }) => some);
for (const [i, figure] of figures.entries()) await writeFileAtomic(join(values.out, `figure-${i + 1}.svg`), await figure.toSvg());
await writeFileAtomic(join(values.out, 'answers.html'), await htmlReport({ title: 'On the adversarial robustness of mixtures of experts: experiments', sections, meta: { runs: runs.length } }));
console.log(`\n${join(values.out, 'answers.html')}`);
