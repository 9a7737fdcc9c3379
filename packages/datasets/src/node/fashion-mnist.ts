import { join } from 'node:path';
import { expectKnownKeys, expectOneOf } from '@moe/core';
import { type LabelledDataset, arrayDataset } from '../array-dataset.js';
import { assetPath } from '../asset-path.js';
import { type IdxArray, parseIdx } from '../formats/idx.js';
import { expectFormat } from '../internal/expect-format.js';
import { FASHION_MNIST_CLASSES, FASHION_MNIST_SHAPE, type FashionMnistSplit, parseFashionMnist } from '../sets/fashion-mnist.js';
import { readRequired } from './read-required.js';

/** Options of {@link fashionMnist}. */
export interface FashionMnistOptions {
  readonly split: FashionMnistSplit;
  /** Folder of the four original `*-ubyte.gz` files, for all 60,000 and 10,000 images. @defaultValue the subset inside this package */
  readonly root?: string;
}

const PREFIX = { train: 'train', test: 't10k' } as const;
const MAX_FILE = 64 * 2 ** 20;
const MAX_CONTENT = 128 * 2 ** 20;

/**
 * Fashion-MNIST: the embedded subset of 12,000 train and 2,000 test images, or the whole from its original files.
 *
 * @remarks
 * The subset holds as many images of each class, and so does any prefix of 10·n examples. It was drawn by `scripts/make-fashion-mnist.ts`;
 * its SHA-256 is checked on every load.
 *
 * @returns Images `[28,28,1]` in `[0, 1]`, ten classes.
 * @throws DataFormatError if a file is missing or damaged.
 * @see {@link https://arxiv.org/abs/1708.07747 | Xiao et al. 2017, Fashion-MNIST}
 *
 * @example
 * const test = await fashionMnist({ split: 'test' });
 * console.log(test.length, test.classNames[test.labels[0]!]);
 */
export async function fashionMnist(options: FashionMnistOptions): Promise<LabelledDataset> {
  const caller = 'fashionMnist';
  expectKnownKeys(caller, options, ['split', 'root']);
  const { split, root } = options;
  expectOneOf(caller, 'split', split, ['train', 'test']);
  if (root !== undefined) return originalFashionMnist(caller, split, root);
  const path = assetPath('fashion-mnist', `${split}.npz`);
  return parseFashionMnist(await readRequired(caller, path, MAX_FILE, 'Install @moe/datasets again.'), { split, file: path });
}

async function originalFashionMnist(caller: string, split: FashionMnistSplit, root: string): Promise<LabelledDataset> {
  const read = async (kind: string, itemShape: readonly number[]): Promise<IdxArray> => {
    const file = join(root, `${PREFIX[split]}-${kind}-ubyte.gz`);
    const array = parseIdx(await readRequired(caller, file, MAX_FILE, 'Leave root out to use the subset in this package.'), { file, maxBytes: MAX_CONTENT });
    const fits = array.data instanceof Uint8Array && array.shape.slice(1).join() === itemShape.join();
    expectFormat({ caller, file }, fits, `hold bytes of shape [N${itemShape.map((size) => `,${size}`).join('')}]`, `[${array.shape.join(',')}]`, 'Pass the original files.');
    return array;
  };
  const images = await read('images-idx3', FASHION_MNIST_SHAPE.slice(0, 2));
  const labels = await read('labels-idx1', []);
  expectFormat({ caller, file: root }, images.shape[0] === labels.shape[0], `hold one label per image of '${split}'`, `${labels.shape[0]} for ${images.shape[0]}`, 'Pass the original files.');
  return arrayDataset({
    name: 'Fashion-MNIST',
    split,
    images: images.data as Uint8Array,
    labels: labels.data,
    inputShape: FASHION_MNIST_SHAPE,
    classNames: FASHION_MNIST_CLASSES,
  });
}
