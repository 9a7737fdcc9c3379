import { expectArgument, expectKnownKeys } from '@moe/core';
import { type HostTensor, type HostTensors, sizeOf } from './host-tensor.js';
import { readHeader } from './read-header.js';
import { STORED_TYPES } from './types.js';

/** Options of {@link readSafetensors}. */
export interface ReadSafetensorsOptions {
  /** Name of the file, for messages. @defaultValue 'bytes' */
  readonly file?: string;
}

/** Content of a safetensors file. */
export interface Safetensors {
  readonly tensors: HostTensors;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a safetensors file, the format in which PyTorch users keep weights: a JSON header, then plain numbers.
 *
 * @remarks
 * Nothing of the file is believed: sizes, types, shapes and places are checked against each other and against the length of the file before any array
 * is made, and the tensors must cover the data without overlap or gap, as the reference reader demands. Arrays are views of `bytes` where alignment allows;
 * half precisions (`F16`, `BF16`) are widened to float32, exactly; truth values come as bytes.
 *
 * @param bytes - the whole file.
 * @returns Tensors by name, in the order of the header.
 * @throws {@link DataFormatError} if the file is damaged, or holds a type that JavaScript has no array for.
 * @see {@link https://huggingface.co/docs/safetensors | the format}
 *
 * @example
 * const { tensors } = readSafetensors(await readFile('resnet18.safetensors'), { file: 'resnet18.safetensors' });
 */
export function readSafetensors(bytes: Uint8Array, options: ReadSafetensorsOptions = {}): Safetensors {
  expectKnownKeys('readSafetensors', options, ['file']);
  const kind = Object.prototype.toString.call(bytes).slice(8, -1);
  expectArgument('readSafetensors', 'bytes', kind === 'Uint8Array', 'be a Uint8Array', kind);
  const { entries, metadata, dataStart } = readHeader(options.file ?? 'bytes', bytes);
  const tensors = entries.map(({ name, dtype, shape, begin, end }): [string, HostTensor] => {
    const type = STORED_TYPES.get(dtype)!;
    const content = bytes.subarray(dataStart + begin, dataStart + end);
    // A typed array must begin at a multiple of its item size, which a file need not respect. (`slice` of a Node Buffer would not copy.)
    const { buffer, byteOffset } = content.byteOffset % type.bytes === 0 ? content : new Uint8Array(content);
    return [name, { shape, data: type.view(buffer, byteOffset, sizeOf(shape)) }];
  });
  return { tensors: new Map(tensors), metadata };
}
