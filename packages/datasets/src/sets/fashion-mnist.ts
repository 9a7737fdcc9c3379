import { expectKnownKeys, expectOneOf } from '@moe/core';
import { type LabelledDataset, arrayDataset } from '../array-dataset.js';
import { parseNpz } from '../formats/npz.js';
import { expectBytes } from '../internal/expect-bytes.js';
import { expectFormat } from '../internal/expect-format.js';
import { sha256 } from '../internal/sha256.js';

/** Classes of Fashion-MNIST, by label. */
export const FASHION_MNIST_CLASSES: readonly string[] = [
  't-shirt/top', 'trouser', 'pullover', 'dress', 'coat', 'sandal', 'shirt', 'sneaker', 'bag', 'ankle boot',
];

export const FASHION_MNIST_SHAPE = [28, 28, 1] as const;

/** The two parts of Fashion-MNIST. */
export type FashionMnistSplit = 'train' | 'test';

/** The embedded subset: 12,000 and 2,000 images, as many of each class; see `assets/fashion-mnist/README.md`. */
const SUBSET: Readonly<Record<FashionMnistSplit, { sha256: string; bytes: number }>> = {
  train: { bytes: 9_480_000, sha256: 'c3734734083c7b2f9fc3d53dd307fd98b5d896bdf3b4db7754979d62f84639f7' },
  test: { bytes: 1_580_000, sha256: '1d13888db8e70203e3413ed08059581ad74ae88a11cff0882f901f3c8891c824' },
};

/**
 * Reads a file of the embedded Fashion-MNIST subset, wherever it came from: for browsers; in Node use `fashionMnist`.
 *
 * @param bytes - content of `@moe/datasets/assets/fashion-mnist/train.npz` or `test.npz`.
 * @returns Images `[28,28,1]` in `[0, 1]`, ten classes; any first 10·n examples hold n of each class.
 * @throws DataFormatError if the SHA-256 is another than that of the published file.
 * @throws BackendError if `crypto.subtle` is missing, as on pages served over plain http.
 * @see {@link https://arxiv.org/abs/1708.07747 | Xiao et al. 2017, Fashion-MNIST}
 *
 * @example
 * import url from '@moe/datasets/assets/fashion-mnist/test.npz?url'; // Vite; other bundlers: new URL(…, import.meta.url)
 * const test = await parseFashionMnist(new Uint8Array(await (await fetch(url)).arrayBuffer()), { split: 'test' });
 */
export async function parseFashionMnist(bytes: Uint8Array, options: { readonly split: FashionMnistSplit; readonly file?: string }): Promise<LabelledDataset> {
  const caller = 'parseFashionMnist';
  expectKnownKeys(caller, options, ['split', 'file']);
  const { split, file = `${split}.npz` } = options;
  expectBytes(caller, bytes);
  expectOneOf(caller, 'split', split, ['train', 'test']);
  const published = SUBSET[split];
  const actual = await sha256(bytes);
  expectFormat({ caller, file }, actual === published.sha256, `have SHA-256 ${published.sha256}`, actual, 'Install @moe/datasets again; in a browser, check that the right file is served.');
  const arrays = parseNpz(bytes, { file, maxBytes: published.bytes });
  return arrayDataset({
    name: 'Fashion-MNIST subset',
    split,
    images: arrays.get('images')!.data as Uint8Array,
    labels: arrays.get('labels')!.data,
    inputShape: FASHION_MNIST_SHAPE,
    classNames: FASHION_MNIST_CLASSES,
  });
}
