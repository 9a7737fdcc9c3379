import { type Dataset, createRng } from '@moe/core';
import { split } from '@moe/datasets';
import { fashionMnist } from '@moe/datasets/node';
import type { Config } from './protocol.js';

/** So many images of the embedded Fashion-MNIST, balanced over the classes; the seed draws those of training, while every run is attacked on the same ones. */
async function draw(part: 'train' | 'test', wanted: number, seed: number): Promise<Dataset> {
  const whole = await fashionMnist({ split: part });
  return wanted >= whole.length ? whole : (await split(whole, [wanted / whole.length], createRng(seed).stream(`data/${part}`)))[0]!;
}

export const trainingData = ({ data, seed }: Config): Promise<Dataset> => draw('train', data.trainImages, seed);
export const attackedData = ({ data }: Config): Promise<Dataset> => draw('test', data.testImages, 0);
