import { join } from 'node:path';
import { expectKnownKeys, expectOneOf } from '@moe/core';
import { type LabelledDataset, arrayDataset } from '../array-dataset.js';
import { CIFAR_SHAPE, parseCifar10, parseCifar100 } from '../formats/cifar.js';
import { CIFAR100_CLASSES, CIFAR100_COARSE_CLASSES, CIFAR10_CLASSES } from '../sets/cifar-classes.js';
import { readRequired } from './read-required.js';

/** Options of {@link cifar10}. */
export interface Cifar10Options {
  readonly split: 'train' | 'test';
  /** Folder `cifar-10-batches-bin` of the binary version. */
  readonly root: string;
}

/** Options of {@link cifar100}. */
export interface Cifar100Options {
  readonly split: 'train' | 'test';
  /** Folder `cifar-100-binary` of the binary version. */
  readonly root: string;
  /** Which of the two labellings. @defaultValue 'fine' */
  readonly labels?: 'fine' | 'coarse';
}

const SPLITS = ['train', 'test'] as const;
const MAX_FILE = 2 ** 28;
const CIFAR10_FILES = {
  train: ['data_batch_1.bin', 'data_batch_2.bin', 'data_batch_3.bin', 'data_batch_4.bin', 'data_batch_5.bin'],
  test: ['test_batch.bin'],
} as const;

/**
 * CIFAR-10 from a folder of its binary version; the package does not hold the images, which have no explicit licence.
 *
 * @returns Images `[32,32,3]` in `[0, 1]`, ten classes.
 * @throws DataFormatError if a file is missing or damaged.
 * @see {@link https://www.cs.toronto.edu/~kriz/cifar.html | Krizhevsky 2009}
 *
 * @example
 * const train = await cifar10({ split: 'train', root: 'data/cifar-10-batches-bin' });
 */
export async function cifar10(options: Cifar10Options): Promise<LabelledDataset> {
  expectKnownKeys('cifar10', options, ['split', 'root']);
  const { split, root } = options;
  expectOneOf('cifar10', 'split', split, SPLITS);
  const parts = [];
  for (const name of CIFAR10_FILES[split]) {
    const file = join(root, name);
    parts.push(parseCifar10(await readCifar('cifar10', file), { file }));
  }
  const images = concatenate(parts.map((part) => part.images));
  const labels = concatenate(parts.map((part) => part.labels));
  return arrayDataset({ name: 'CIFAR-10', split, images, labels, inputShape: CIFAR_SHAPE, classNames: CIFAR10_CLASSES });
}

/**
 * CIFAR-100 from a folder of its binary version, with 100 fine or 20 coarse classes.
 *
 * @returns Images `[32,32,3]` in `[0, 1]`.
 * @throws DataFormatError if a file is missing or damaged.
 * @see {@link https://www.cs.toronto.edu/~kriz/cifar.html | Krizhevsky 2009}
 *
 * @example
 * const train = await cifar100({ split: 'train', root: 'data/cifar-100-binary' });
 */
export async function cifar100(options: Cifar100Options): Promise<LabelledDataset> {
  expectKnownKeys('cifar100', options, ['split', 'root', 'labels']);
  const { split, root, labels = 'fine' } = options;
  expectOneOf('cifar100', 'split', split, SPLITS);
  expectOneOf('cifar100', 'labels', labels, ['fine', 'coarse']);
  const file = join(root, `${split}.bin`);
  const parsed = parseCifar100(await readCifar('cifar100', file), { file });
  const classNames = labels === 'fine' ? CIFAR100_CLASSES : CIFAR100_COARSE_CLASSES;
  return arrayDataset({ name: 'CIFAR-100', split, images: parsed.images, labels: parsed[labels], inputShape: CIFAR_SHAPE, classNames });
}

const readCifar = (caller: string, file: string): Promise<Uint8Array> => readRequired(caller, file, MAX_FILE, 'Unpack the binary version there, from https://www.cs.toronto.edu/~kriz/cifar.html.');

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
