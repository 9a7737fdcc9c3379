// Accuracy of a finished model against the steps and the radius of PGD: `pnpm strength --run DIR [--model NAME] [--images N]`.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { useBackend } from '@moe/backend';
import { writeFileAtomic } from '@moe/core/node';
import { readJson, writeJson } from '@moe/experiments';
import { htmlReport } from '@moe/report';
import { files } from './jobs.js';
import { measureStrength, strengthSection } from './figures/strength.js';
import type { Results } from './results.js';

const HELP = `Accuracy of a finished model against the steps and the radius of PGD.

Usage: pnpm strength --run DIR [--model NAME] [--images N]

  --run        run folder with models/; strength.json and strength.html go there
  --model      model of the run (default its last)
  --images     test images (default 100)`;

const { values } = parseArgs({ options: { run: { type: 'string' }, model: { type: 'string' }, images: { type: 'string' }, help: { type: 'boolean', short: 'h' } } });
if (values.help === true || values.run === undefined) {
  console[values.help === true ? 'log' : 'error'](HELP);
  process.exit(values.help === true ? 0 : 2);
}
const { run } = values;
const results = await readJson<Results>(files.results(run));
const model = results?.config.models.find((name) => name === values.model) ?? results?.config.models.at(-1);
if (results === undefined || model === undefined || (values.model !== undefined && model !== values.model)) {
  console.error(`strength: ${run} holds no finished run${results === undefined ? '' : ` of ${values.model}`}.`);
  process.exit(2);
}
await useBackend(results.config.backend);
const record = await measureStrength(model, results.config, run, Number(values.images ?? 100));
await writeJson(join(run, 'strength.json'), record);
const section = strengthSection(record);
await writeFileAtomic(join(run, 'strength.html'), await htmlReport({ title: `Strength of the attack: ${model}`, sections: [section] }));
console.log(section.table?.toText());
