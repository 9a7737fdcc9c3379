// Tests every claim of the theory and writes what was measured: `pnpm theory [V1 V2 …] [--out DIR] [--backend NAME]`. See README.md.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type EngineName, useBackend } from '@moe/backend';
import { writeFileAtomic } from '@moe/core/node';
import { type ReportSection, htmlReport, table } from '@moe/report';
import type { Outcome, Row } from './theory/claim.js';
import { CLAIMS } from './theory/claims.js';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: 'string', default: join('runs', 'theory') }, backend: { type: 'string', default: 'wasm' } } });
const unknown = positionals.find((id) => !CLAIMS.some((claim) => claim.id === id));
if (unknown !== undefined) {
  console.error(`theory: claims are ${CLAIMS.map(({ id }) => id).join(', ')}, got ${unknown}.`);
  process.exit(2);
}

const shown = (value: number | string | undefined): string => (typeof value !== 'number' ? (value ?? '') : Number.isInteger(value) ? String(value) : Math.abs(value) < 1e-3 && value !== 0 ? value.toExponential(1) : value.toFixed(4));

/** Rows of a claim need not have the same columns. */
function measurements(rows: readonly Row[]) {
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return table({ columns: keys.map((key) => ({ key, align: 'right' as const, format: shown })), rows: rows.map((row) => Object.fromEntries(keys.map((key) => [key, row[key]])) as Row) });
}

const checkTable = ({ checks }: Outcome) =>
  table({
    columns: [
      { key: 'what', header: 'Measured' },
      { key: 'value', header: '', align: 'right', format: shown },
      { key: 'expected', header: 'Expected' },
      { key: 'holds', header: '', format: (holds: boolean) => (holds ? 'holds' : 'DOES NOT HOLD') },
    ],
    rows: checks,
  });

const { engine } = await useBackend(values.backend as EngineName | 'auto');
await mkdir(values.out, { recursive: true });
const sections: ReportSection[] = [];
const records = [];
for (const { id, statement, run } of CLAIMS.filter(({ id }) => positionals.length === 0 || positionals.includes(id))) {
  const started = process.cpuUsage();
  const outcome = await run();
  const { user, system } = process.cpuUsage(started);
  const failed = outcome.checks.filter(({ holds }) => !holds);
  console.log(`\n${id}  ${statement}\n${checkTable(outcome).toText()}`);
  records.push({ id, statement, holds: failed.length === 0, cpuSeconds: Number(((user + system) / 1e6).toFixed(1)), checks: outcome.checks, rows: outcome.rows });
  sections.push({ title: `${id}. ${statement}`, table: checkTable(outcome), html: outcome.rows.length > 0 ? measurements(outcome.rows).toHtml() : '', figures: outcome.figures });
  for (const [i, figure] of outcome.figures.entries()) await writeFileAtomic(join(values.out, `${id}-${i + 1}.svg`), await figure.toSvg());
}
await writeFileAtomic(join(values.out, 'theory.json'), `${JSON.stringify({ engine, claims: records }, null, 2)}\n`);
await writeFileAtomic(join(values.out, 'theory.html'), await htmlReport({ title: 'On the adversarial robustness of mixtures of experts: theory', sections, meta: { engine } }));
const broken = records.filter(({ holds }) => !holds);
console.log(`\n${records.length - broken.length} of ${records.length} claims hold${broken.length > 0 ? `; not ${broken.map(({ id }) => id).join(', ')}` : ''}. ${records.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0).toFixed(0)} s of processor time. ${join(values.out, 'theory.html')}`);
process.exitCode = broken.length > 0 ? 1 : 0;
