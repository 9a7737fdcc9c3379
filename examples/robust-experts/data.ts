import { createRng } from '@moe/core';
import type { Dataset } from '@moe/core';
import { split } from '@moe/datasets';
import { fashionMnist, imageFolder, sharpDecoder } from '@moe/datasets/node';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Config } from './config.js';

async function whole(config: Config, part: 'train' | 'test'): Promise<Dataset> {
  if (config.data.folder === null) return fashionMnist({ split: part });
  return imageFolder(join(config.data.folder, part), { split: part, decode: sharpDecoder(sharp) });
}

/** A seeded draw of so many images, balanced over the classes; all if there are fewer. */
async function draw(config: Config, part: 'train' | 'test', wanted: number): Promise<Dataset> {
  const dataset = await whole(config, part);
  if (wanted >= dataset.length) return dataset;
  return (await split(dataset, [wanted / dataset.length], createRng(config.seed).stream(`data/${part}`)))[0]!;
}

export const trainingData = (config: Config): Promise<Dataset> => draw(config, 'train', config.data.trainImages);

/** The images that every path is attacked on. */
export const attackedData = (config: Config): Promise<Dataset> => draw(config, 'test', config.data.testImages);

/** The images whose routing is counted: forward passes are cheap, so there are more of them. */
export const routedData = (config: Config): Promise<Dataset> => draw(config, 'test', Math.max(2000, config.data.testImages));
