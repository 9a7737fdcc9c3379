import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NamedTensor, Subject } from './subject.js';

/** Hands tensors over to the peer: `tensors.bin`, float32, and `tensors.json` with names and shapes. */
export async function writeTensors(folder: string, tensors: readonly NamedTensor[]): Promise<void> {
  await writeFile(join(folder, 'tensors.bin'), Buffer.concat(tensors.map(({ values }) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength))));
  await writeFile(join(folder, 'tensors.json'), JSON.stringify(tensors.map(({ name, shape }) => ({ name, shape }))));
}

/** Weights, images, labels and attack for the peer, as peer.py says. */
export const writeSubject = (folder: string, { weights, images, imageShape, labels, attack }: Pick<Subject, 'weights' | 'images' | 'imageShape' | 'labels' | 'attack'>): Promise<void> =>
  writeTensors(folder, [
    ...weights(),
    { name: 'images', shape: imageShape, values: images },
    { name: 'labels', shape: [labels.length], values: Float32Array.from(labels) },
    { name: 'attack', shape: [3], values: Float32Array.of(attack.eps, attack.stepSize, attack.steps) },
  ]);
