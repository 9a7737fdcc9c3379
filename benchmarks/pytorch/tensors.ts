import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NamedTensor } from './subject.js';

/** Hands tensors over to the peer: `tensors.bin`, float32, and `tensors.json` with names and shapes. */
export async function writeTensors(folder: string, tensors: readonly NamedTensor[]): Promise<void> {
  await writeFile(join(folder, 'tensors.bin'), Buffer.concat(tensors.map(({ values }) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength))));
  await writeFile(join(folder, 'tensors.json'), JSON.stringify(tensors.map(({ name, shape }) => ({ name, shape }))));
}
