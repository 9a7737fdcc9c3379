// Evaluates a saved model on a folder of images and prints a report card. See README.md.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMoeError } from '@moe/core';
import { writeFileAtomic } from '@moe/core/node';
import { type ReportContent, type ReportSection, htmlReport, markdownReport, robustnessCard } from '@moe/report';
import { UsageError } from './flags.js';
import { HELP, parseOptions } from './options.js';
import { run, writeJson } from './run.js';

/** The card with pictures after its table of attacks. */
function withPictures(card: ReportContent, pictures: ReportSection | undefined): ReportContent {
  const after = 1 + card.sections.findIndex(({ title }) => title === 'Attacks');
  return pictures === undefined ? card : { ...card, sections: card.sections.toSpliced(after, 0, pictures) };
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === 'help' || options === 'version') {
    console.log(options === 'help' ? HELP : (JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as { version: string }).version);
    return 0;
  }
  const { out, name, settings } = options;
  const interrupt = new AbortController();
  process.once('SIGINT', () => {
    console.error('\nStopping; the same command continues.');
    interrupt.abort();
    process.once('SIGINT', () => process.exit(130));
  });
  const { evaluation, diagnosis, pictures } = await run(options, interrupt.signal);
  const card = robustnessCard({ name, evaluation, diagnosis, meta: { attack: settings.attack } });
  await writeJson(join(out, 'results.json'), { evaluation, diagnosis });
  await writeFileAtomic(join(out, 'card.md'), markdownReport(card));
  await writeFileAtomic(join(out, 'card.html'), await htmlReport(withPictures(card, pictures)));
  const blocks = card.sections.flatMap(({ text = [], table }) => [...(typeof text === 'string' ? [text] : text), ...(table === undefined ? [] : [table.toText()])]);
  console.log(`${card.title}. ${card.subtitle}.\n\n${blocks.join('\n\n')}\n\nCard: ${join(out, 'card.html')}. Numbers: ${join(out, 'results.json')}.`);
  return [evaluation, diagnosis].some(({ trust }) => trust === 'invalid') ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (isMoeError(error, 'ABORTED')) process.exitCode = 130;
  else {
    const expected = error instanceof UsageError || isMoeError(error);
    console.error(expected ? `\n${error.message}` : error);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
