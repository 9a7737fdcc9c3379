import { basename } from 'node:path';
import { type Batch, DataFormatError, expectArgument, expectInteger, expectKnownKeys } from '@moe/core';
import type { LabelledDataset } from '../array-dataset.js';
import { expectFormat } from '../internal/expect-format.js';
import { iterate } from '../internal/iterate.js';
import { toIndices } from '../internal/to-indices.js';
import type { DecodedImage, ImageDecoder, ImageSize } from './image-decoder.js';
import { listImages } from './list-images.js';
import { readRequired } from './read-required.js';

/** Options of {@link imageFolder}. */
export interface ImageFolderOptions {
  /** Turns bytes into pixels, e.g. by {@link sharpDecoder}. */
  readonly decode: ImageDecoder;
  /** Handed to `decode`; without it all images must have the size of the first. */
  readonly size?: ImageSize;
  /** @defaultValue the last part of the path */
  readonly name?: string;
  /** @defaultValue 'all' */
  readonly split?: string;
  /** Largest file that is read. @defaultValue 2^26, 64 MiB */
  readonly maxFileBytes?: number;
}

const CALLER = 'imageFolder';
const MAX_FILE_BYTES = 2 ** 26;
/** Files decoded at the same time. */
const CONCURRENCY = 32;
const BYTE_MAX = 255;

/**
 * A data set over a folder of images, `root/<class>/*.jpg|jpeg|png`, decoded when read.
 *
 * @remarks
 * Class names are the folder names and examples the file names, both in the order of their UTF-16 code units. Other files, and names that
 * begin with a dot, are left out. Only the first image is decoded at once, to know the shape.
 *
 * @returns Images in `[0, 1]`.
 * @throws DataFormatError if there is no class, a class has no image, a link leads out of the folder, or, when read, a file is no image of the right shape.
 *
 * @example
 * import sharp from 'sharp';
 * const train = await imageFolder('cifar10/train', { decode: sharpDecoder(sharp), name: 'CIFAR-10', split: 'train' });
 */
export async function imageFolder(root: string, options: ImageFolderOptions): Promise<LabelledDataset> {
  expectKnownKeys(CALLER, options, ['decode', 'size', 'name', 'split', 'maxFileBytes']);
  const { decode, size, name = basename(root), split = 'all', maxFileBytes = MAX_FILE_BYTES } = options;
  expectArgument(CALLER, 'decode', typeof decode === 'function', 'be a function', decode, 'Pass sharpDecoder(sharp).');
  size?.forEach((pixels, axis) => expectInteger(CALLER, `size[${axis}]`, pixels, 1));
  const { classNames, paths, labels } = await listImages(CALLER, root);
  const load = (index: number): Promise<DecodedImage> => decodeFile(paths[index]!, decode, size, maxFileBytes);
  const first = await load(0);
  const inputShape = [first.height, first.width, first.channels] as const;
  const dataset: LabelledDataset = {
    name,
    split,
    length: paths.length,
    inputShape,
    classNames,
    bounds: [0, 1],
    labels,
    async read(indices): Promise<Batch> {
      const ids = toIndices(CALLER, name, indices, paths.length);
      const pixels = inputShape[0] * inputShape[1] * inputShape[2];
      const inputs = new Float32Array(ids.length * pixels);
      for (let start = 0; start < ids.length; start += CONCURRENCY) {
        const rows = Array.from(ids.subarray(start, start + CONCURRENCY), async (id, row) => {
          const image = await load(id);
          checkShape(paths[id]!, image, inputShape);
          const offset = (start + row) * pixels;
          for (let i = 0; i < pixels; i++) inputs[offset + i] = image.data[i]! / BYTE_MAX;
        });
        await Promise.all(rows);
      }
      return { inputs, labels: ids.map((id) => labels[id]!), ids, shape: [ids.length, ...inputShape] };
    },
    [Symbol.asyncIterator]: () => iterate(dataset),
  };
  return dataset;
}

async function decodeFile(path: string, decode: ImageDecoder, size: ImageSize | undefined, maxFileBytes: number): Promise<DecodedImage> {
  const bytes = await readRequired(CALLER, path, maxFileBytes, 'Open the folder again after changing it.');
  let image: DecodedImage;
  try {
    image = await decode(bytes, size);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new DataFormatError(`${CALLER}: ${path} must be an image that the decoder reads, got '${why}'. Remove or replace the file.`, { cause: error });
  }
  const { data, height, width, channels } = image;
  const wanted = height * width * channels;
  const sized = wanted > 0 && data.length === wanted;
  expectFormat({ caller: CALLER, file: path }, sized, `decode to ${height} x ${width} x ${channels} bytes`, data.length, 'The decoder breaks its contract.');
  return image;
}

function checkShape(file: string, { height, width, channels }: DecodedImage, shape: readonly [number, number, number]): void {
  const same = height === shape[0] && width === shape[1] && channels === shape[2];
  expectFormat({ caller: CALLER, file }, same, `have shape [${shape.join(',')}] as the first image`, `[${height},${width},${channels}]`, 'Pass size, and a decoder that gives every image the same channels.');
}
