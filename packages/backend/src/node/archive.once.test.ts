import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { extractArchive } from './archive.js';
import { LIBRARY_NAMES } from './platform.js';

const [framework, main] = LIBRARY_NAMES.at(-1) as [string, string];

let folder: string;
let target: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'moe-archive-'));
  target = join(folder, 'target');
  mkdirSync(target);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Member = { name: string; content: string } | { name: string; linkname: string };

async function tarOf(members: readonly Member[]): Promise<Buffer> {
  const tar = pack();
  for (const member of members) {
    if ('content' in member) tar.entry({ name: member.name }, member.content);
    else tar.entry({ name: member.name, linkname: member.linkname, type: 'symlink' });
  }
  tar.finalize();
  return buffer(tar);
}

async function extractFrom(bytes: Uint8Array, progress: number[] = []): Promise<void> {
  const file = join(folder, 'libtensorflow.tar.gz');
  writeFileSync(file, bytes);
  await extractArchive(file, target, ({ done, total }) => progress.push(done / total), undefined);
}

/** An archive as TensorFlow publishes them: short names are links to those with the whole version. */
const published: readonly Member[] = [
  { name: './include/tensorflow/c/c_api.h', content: 'x'.repeat(2000) },
  { name: `./lib/${main}`, linkname: `${main}.21.0` },
  { name: `./lib/${main}.21.0`, content: 'main' },
  { name: `./lib/${framework}`, linkname: `${framework}.21.0` },
  { name: `./lib/${framework}.21.0`, content: 'framework' },
];

describe('extractArchive', () => {
  it('takes the two shared objects, through links, and nothing else', async () => {
    const progress: number[] = [];
    await extractFrom(gzipSync(await tarOf([{ name: '../../escaped', content: 'x' }, ...published])), progress);
    expect(readdirSync(target).sort()).toEqual([framework, main].sort());
    expect([framework, main].map((name) => readFileSync(join(target, name), 'utf8'))).toEqual(['framework', 'main']);
    expect(progress.at(-1)).toBe(1);
    expect(existsSync(join(folder, '..', 'escaped'))).toBe(false);
  });

  it('never writes to a path of the archive', async () => {
    await extractFrom(gzipSync(await tarOf([{ name: `../../${framework}`, content: 'a' }, { name: `/${main}`, content: 'b' }])));
    expect(readdirSync(target).sort()).toEqual([framework, main].sort());
    expect(existsSync(join(folder, '..', framework))).toBe(false);
  });

  it.each<[string, Member[], RegExp]>([
    ['links out of the archive', [{ name: main, content: '' }, { name: framework, linkname: '../../../etc/passwd' }], /must hold \S+ as a file, got \.\.\/\.\.\/\.\.\/etc\/passwd, which is none/],
    ['links in a circle', [{ name: main, content: '' }, { name: framework, linkname: framework }], /as a file/],
    ['members that are missing', [{ name: main, content: '' }], /must hold \S+ and \S+, got 1 other members/],
  ])('refuses %s', async (_what, members, message) => {
    await expect(extractFrom(gzipSync(await tarOf(members)))).rejects.toThrow(message);
    expect(readdirSync(target)).toEqual([]);
  });

  it('refuses what is no archive, or not a whole one', async () => {
    await expect(extractFrom(Buffer.from('not an archive'))).rejects.toThrow('libtensorflow.tar.gz must be a whole .tar.gz archive, got incorrect header check');
    const whole = gzipSync(await tarOf(published));
    await expect(extractFrom(whole.subarray(0, whole.length / 2))).rejects.toThrow('must be a whole .tar.gz archive');
    expect(readdirSync(target)).toEqual([]);
  });

  it('refuses a member that says it is huge, before anything is written', async () => {
    const tar = await tarOf([{ name: main, content: '' }, { name: framework, content: '' }]);
    // The size stands in octal digits at 124 of the second header, its checksum at 148.
    tar.write((2 ** 32).toString(8).padStart(11, '0'), 512 + 124);
    tar.fill(' ', 512 + 148, 512 + 156);
    const sum = tar.subarray(512, 1024).reduce((a, b) => a + b, 0);
    tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 512 + 148);
    await expect(extractFrom(gzipSync(tar))).rejects.toThrow(`must hold no member above 2147483648 bytes, got 4294967296 for ${framework}.`);
    expect(readdirSync(target)).toEqual([]);
  });
});
