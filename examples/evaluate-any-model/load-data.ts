import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Batch, DataFormatError, type Dataset, createRng } from '@moe/core';
import { imageFolder, sharpDecoder } from '@moe/datasets/node';
import sharp from 'sharp';
import { UsageError } from './flags.js';
import type { InputSettings } from './input-settings.js';

/** Images of a folder in the size and colours that the model takes, labelled by its outputs. */
export async function loadData({ images, classes, size }: Pick<InputSettings, 'classes' | 'size'> & { readonly images: string }, [height, width, channels]: readonly (number | null)[]): Promise<Dataset> {
  const [rows, columns] = [height ?? size?.[0], width ?? size?.[1]];
  if (rows === undefined || columns === undefined) throw new UsageError('--size is needed: the model takes images of any size.');
  if (channels !== null && channels !== 1 && channels !== 3) throw new DataFormatError(`loadData: the model must take 1 or 3 channels, got ${channels}.`);
  const folder = await imageFolder(images, { decode: sharpDecoder(sharp, { channels: channels ?? 3 }), size: [rows, columns], name: basename(images) });
  if (classes === undefined) return folder;
  const names = (await readFile(classes, 'utf8')).split(/\r?\n/).filter((name) => name !== '');
  const outputs = folder.classNames.map((name) => names.indexOf(name));
  const missing = folder.classNames.filter((_, i) => outputs[i]! < 0);
  if (missing.length > 0) throw new UsageError(`--classes must name every folder of images, got none for ${missing.slice(0, 3).join(', ')}.`);
  const relabelled = (batch: Batch): Batch => ({ ...batch, labels: batch.labels.map((label) => outputs[label]!) });
  return {
    ...folder,
    classNames: names,
    read: async (indices) => relabelled(await folder.read(indices)),
    async *[Symbol.asyncIterator]() {
      for await (const batch of folder) yield relabelled(batch);
    },
  };
}

/** Which images are attacked: drawn by the seed, since folders hold one class after the other. */
export const chosenImages = ({ limit, seed }: Pick<InputSettings, 'limit' | 'seed'>, length: number): number[] => [...createRng(seed).stream('images').permutation(length).subarray(0, limit)].sort((a, b) => a - b);
