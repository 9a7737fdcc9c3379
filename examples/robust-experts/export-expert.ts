// One expert as a dense model: `pnpm export-expert --run DIR [--model NAME] [--expert N] [--out DIR]`.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { useBackend } from '@moe/backend';
import { readJson } from '@moe/experiments';
import { exportExpert } from './export/export-expert.js';
import { files } from './jobs.js';
import type { Results } from './results.js';

const HELP = `One expert of a finished run as a dense model, with its own report card.

Usage: pnpm export-expert --run DIR [--model NAME] [--expert N] [--images N] [--batch-norm N] [--out DIR]

  --run        run folder with models/ (not a published one, which has no weights)
  --model      model of the run (default its last)
  --expert     expert of the layer whose experts were fixed (default the most robust); other MoE layers keep the expert that serves most images
  --images     test images for the card (default those of the run)
  --batch-norm training images from which its batch norms are estimated anew (default none: as trained)
  --out        where model.json, weights.bin, model.safetensors and card.html go (default RUN/export)`;

const { values } = parseArgs({ options: { run: { type: 'string' }, model: { type: 'string' }, expert: { type: 'string' }, images: { type: 'string' }, 'batch-norm': { type: 'string' }, out: { type: 'string' }, help: { type: 'boolean', short: 'h' } } });
if (values.help === true || values.run === undefined) {
  console[values.help === true ? 'log' : 'error'](HELP);
  process.exit(values.help === true ? 0 : 2);
}
const results = await readJson<Results>(files.results(values.run));
if (results === undefined) {
  console.error(`export: ${values.run} holds no finished run.`);
  process.exit(2);
}
await useBackend(results.config.backend);
const out = values.out ?? join(values.run, 'export');
await mkdir(out, { recursive: true });
console.log(
  await exportExpert(results, values.run, out, {
    ...(values.model === undefined ? {} : { model: values.model }),
    ...(values.expert === undefined ? {} : { expert: Number(values.expert) }),
    ...(values.images === undefined ? {} : { images: Number(values.images) }),
    ...(values['batch-norm'] === undefined ? {} : { batchNorm: Number(values['batch-norm']) }),
  }),
);
