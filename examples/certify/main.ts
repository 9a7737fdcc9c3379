// Certifies a classifier, attacks it at the same radii, and prints both. See README.md.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMoeError } from '@moe/core';
import { writeFileAtomic } from '@moe/core/node';
import { UsageError } from '@moe/example-evaluate-any-model/flags';
import { htmlReport } from '@moe/report';
import { HELP, parseOptions } from './options.js';
import { pageOf, pictureOf } from './page.js';
import { run } from './run.js';

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  if (typeof options === 'string') {
    console.log(options === 'help' ? HELP : (JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as { version: string }).version);
    return;
  }
  const { out } = options;
  const results = await run(options, (line) => console.error(line));
  const page = pageOf(results);
  await writeFileAtomic(join(out, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  await writeFileAtomic(join(out, 'certify.html'), await htmlReport(page));
  const picture = pictureOf(results);
  if (picture !== undefined) await writeFileAtomic(join(out, 'certify.svg'), await picture.toSvg());
  const blocks = page.sections.flatMap(({ text = [], table }) => [...(typeof text === 'string' ? [text] : text), ...(table === undefined ? [] : [table.toText()])]);
  console.log(`${page.title}. ${page.subtitle}.\n\n${blocks.join('\n\n')}\n\nPicture: ${join(out, 'certify.html')}. Numbers: ${join(out, 'results.json')}.`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const expected = error instanceof UsageError || isMoeError(error);
  console.error(expected ? `\n${error.message}` : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
