import { createRng } from '@moe/core';
import type { Dataset } from '@moe/core';
import { type Augment, arrayDataset, colorJitter, randomCrop, randomHorizontalFlip, split } from '@moe/datasets';
import { cifar10, cifar100, fashionMnist, imageFolder, sharpDecoder } from '@moe/datasets/node';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import type { Config } from './schema.js';

const BYTE_MAX = 255;

async function whole(config: Config, part: 'train' | 'test'): Promise<Dataset> {
  const { folder, format } = config.data;
  if (folder === null) return fashionMnist({ split: part });
  if (format === 'cifar10') return cifar10({ split: part, root: folder });
  if (format === 'cifar100') return cifar100({ split: part, root: folder });
  return imageFolder(join(folder, part), { split: part, decode: sharpDecoder(sharp), name: basename(folder) });
}

/** A seeded draw of so many images, balanced over the classes; all if there are fewer. */
async function draw(config: Config, part: 'train' | 'test', wanted: number): Promise<Dataset> {
  const dataset = await whole(config, part);
  if (wanted >= dataset.length) return dataset;
  return (await split(dataset, [wanted / dataset.length], createRng(config.seed).stream(`data/${part}`)))[0]!;
}

/** The images of a folder decoded once instead of in every epoch. */
async function inMemory(dataset: Dataset): Promise<Dataset> {
  const { inputs, labels } = await dataset.read(Array.from({ length: dataset.length }, (_, i) => i));
  const { name, split: part, inputShape, classNames } = dataset;
  return arrayDataset({ name, split: part, inputShape, classNames, labels, images: Uint8Array.from(inputs, (value) => Math.round(BYTE_MAX * value)) });
}

export async function trainingData(config: Config): Promise<Dataset> {
  const dataset = await draw(config, 'train', config.data.trainImages);
  return config.data.folder !== null && config.data.format === 'images' ? inMemory(dataset) : dataset;
}

/** The images that every path is attacked on. */
export const attackedData = (config: Config): Promise<Dataset> => draw(config, 'test', config.data.testImages);

/** The images whose routing is counted: forward passes are cheap, so there are more of them. */
export const routedData = (config: Config): Promise<Dataset> => draw(config, 'test', Math.max(config.evaluation.probe ?? 2000, config.data.testImages));

/** Changes of the training images. */
export function augmentations({ data: { augmentPadding: padding, colorJitter: strength } }: Config): Augment[] {
  return [
    ...(padding === null ? [] : [randomCrop({ padding }), randomHorizontalFlip()]),
    ...(strength === 0 ? [] : [colorJitter({ brightness: strength, contrast: strength, saturation: strength, hue: strength })]),
  ];
}
