import { expectArgument, expectInteger, expectKnownKeys } from '@moe/core';
import { type HostTensor, type HostTensors, sizeOf } from './host-tensor.js';
import { TYPE_OF_ARRAY } from './types.js';

/** Options of {@link writeSafetensors}. */
export interface WriteSafetensorsOptions {
  /** Text about the file, by key. @defaultValue none */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Multiple at which the data begin, so that readers can map them as arrays. */
const ALIGNMENT = 8;

const typeOf = (data: HostTensor['data']): string | undefined => TYPE_OF_ARRAY.get(Object.prototype.toString.call(data).slice(8, -1));

function expectTensor(name: string, { shape, data }: HostTensor): void {
  expectArgument('writeSafetensors', 'name', name !== '__metadata__', "not be '__metadata__', which the format keeps for itself", name);
  expectArgument('writeSafetensors', `data of '${name}'`, typeOf(data) !== undefined, `be one of ${[...TYPE_OF_ARRAY.keys()].join(', ')}`, Object.prototype.toString.call(data).slice(8, -1));
  shape.forEach((size, axis) => expectInteger('writeSafetensors', `shape[${axis}] of '${name}'`, size, 0));
  expectArgument('writeSafetensors', `data of '${name}'`, data.length === sizeOf(shape), `have the ${sizeOf(shape)} numbers of its shape`, data.length);
}

/**
 * Writes tensors as a safetensors file, which `safetensors.torch.load_file` and {@link readSafetensors} read.
 *
 * @remarks
 * The type in the file is that of the array. Wider types come first, then names in order, so the same tensors always give the same bytes, and every array is aligned.
 *
 * @returns The whole file.
 * @throws {@link ArgumentError} if an array does not fit its shape.
 *
 * @example
 * await writeFile('model.safetensors', writeSafetensors(weightValues(model), { metadata: { format: 'pt' } }));
 */
export function writeSafetensors(tensors: HostTensors, options: WriteSafetensorsOptions = {}): Uint8Array {
  expectKnownKeys('writeSafetensors', options, ['metadata']);
  for (const [name, tensor] of tensors) expectTensor(name, tensor);
  const ordered = [...tensors].sort(([a, { data: x }], [b, { data: y }]) => y.BYTES_PER_ELEMENT - x.BYTES_PER_ELEMENT || (a < b ? -1 : 1));
  let at = 0;
  const entries = ordered.map(([name, { shape, data }]) => {
    const begin = at;
    at += data.byteLength;
    return [name, { dtype: typeOf(data), shape, data_offsets: [begin, at] }] as const;
  });
  const { metadata } = options;
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries([...(metadata === undefined ? [] : [['__metadata__', metadata] as const]), ...entries])));
  const dataStart = Math.ceil((8 + json.length) / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(dataStart + at).fill(0x20, 8, dataStart);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(dataStart - 8), true);
  bytes.set(json, 8);
  for (const [i, [, { data }]] of ordered.entries()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), dataStart + entries[i]![1].data_offsets[0]!);
  }
  return bytes;
}
