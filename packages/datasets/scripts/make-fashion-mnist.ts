/**
 * Draws the embedded subset of Fashion-MNIST from the original IDX files.
 *
 *   apt-get install dataset-fashion-mnist
 *   node --conditions=@moe/source --import tsx packages/datasets/scripts/make-fashion-mnist.ts [FOLDER]
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRng } from '@moe/core';
import { writeFileAtomic } from '@moe/core/node';
import { parseIdx } from '@moe/datasets';
import { type ZipOptions, zipSync } from 'fflate';

const SEED = 1;
const CLASSES = 10;
const PIXELS = 28 * 28;
const PARTS = {
  train: { prefix: 'train', total: 60_000, length: 12_000 },
  test: { prefix: 't10k', total: 10_000, length: 2_000 },
} as const;

export type Part = keyof typeof PARTS;
export const DEBIAN_FOLDER = '/usr/share/datasets/fashion-mnist';

/** One part of the subset as the bytes of an npz file: `images` (N,28,28) u1, `labels` (N,) u1, `indices` (N,) i4 into the original part. */
export async function makeFashionMnist(folder: string, part: Part): Promise<Uint8Array> {
  const { prefix, total, length } = PARTS[part];
  const read = async (kind: string): Promise<Uint8Array> => {
    const file = join(folder, `${prefix}-${kind}-ubyte.gz`);
    return Uint8Array.from(parseIdx(await readFile(file), { file }).data);
  };
  const images = await read('images-idx3');
  const labels = await read('labels-idx1');
  if (images.length !== total * PIXELS || labels.length !== total) throw new Error(`${folder} does not hold the original ${total} ${part} images.`);
  const indices = draw(part, labels, length);
  const chosen = new Uint8Array(length * PIXELS);
  indices.forEach((index, i) => chosen.set(images.subarray(index * PIXELS, (index + 1) * PIXELS), i * PIXELS));
  return pack({
    images: npy('|u1', [length, 28, 28], chosen),
    labels: npy('|u1', [length], Uint8Array.from(indices, (index) => labels[index]!)),
    indices: npy('<i4', [length], new Uint8Array(indices.buffer)),
  });
}

/** As many of each class, at random; in every block of ten each class once, in random order, so that a prefix is balanced too. */
function draw(part: Part, labels: Uint8Array, length: number): Int32Array<ArrayBuffer> {
  const rng = createRng(SEED).stream(`fashion-mnist/${part}`);
  const perClass = Array.from({ length: CLASSES }, (_, label) => {
    const members = Array.from(labels.keys()).filter((index) => labels[index] === label);
    return Array.from(rng.stream('class').at(label).permutation(members.length).subarray(0, length / CLASSES), (i) => members[i]!);
  });
  const blocks = Array.from({ length: length / CLASSES }, (_, block) =>
    Array.from(rng.stream('block').at(block).permutation(CLASSES), (label) => perClass[label]![block]!),
  );
  return Int32Array.from(blocks.flat());
}

function npy(type: string, shape: readonly number[], data: Uint8Array): Uint8Array {
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  const header = Buffer.from(`${text.padEnd(128 - 10 - 1)}\n`, 'latin1');
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length, 0]);
  return Buffer.concat([start, header, data]);
}

function pack(arrays: Readonly<Record<string, Uint8Array>>): Uint8Array {
  // Zip stores local time without a zone; the local constructor makes it the same everywhere.
  const options: ZipOptions = { level: 9, mem: 12, mtime: new Date(1980, 0, 1) };
  return zipSync(Object.fromEntries(Object.entries(arrays).map(([name, bytes]) => [`${name}.npy`, bytes])), options);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const assets = fileURLToPath(new URL('../assets/fashion-mnist/', import.meta.url));
  const sums: string[] = [];
  for (const part of ['train', 'test'] as const) {
    const bytes = await makeFashionMnist(process.argv[2] ?? DEBIAN_FOLDER, part);
    await writeFileAtomic(join(assets, `${part}.npz`), bytes);
    sums.push(`${createHash('sha256').update(bytes).digest('hex')}  ${part}.npz\n`);
  }
  await writeFileAtomic(join(assets, 'SHA256SUMS'), sums.join(''));
  process.stdout.write(sums.join(''));
}
