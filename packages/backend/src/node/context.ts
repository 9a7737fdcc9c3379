import type { Library, Pointer } from './library.js';
import { doubleField, integerField, messageField, textField } from './protobuf.js';
import type { Status } from './status.js';

/** The eager runtime and the devices that it found. */
export interface Context {
  readonly pointer: Pointer;
  /** Kinds of its devices, such as `'CPU'` or `'GPU'`. */
  readonly devices: readonly string[];
  /** What it was made with, as an encoded `ConfigProto`; for sessions beside it. */
  readonly config: Uint8Array;
}

/** Where TensorFlow puts an operation whose inputs lie elsewhere: it copies them without a word. */
const PLACE_SILENTLY = 2;

/** What the runtime is made with; see the options of `useBackend`. */
export interface ContextOptions {
  readonly threads?: number;
  readonly gpu?: boolean;
  readonly gpuMemoryFraction?: number;
}

/** `ConfigProto` of TensorFlow: field 1 counts devices by kind, 2 and 5 are the threads within and between operations, 6.1 and 6.4 say how much of a GPU's memory is taken and let it grow as needed. */
export function encodeConfig({ threads, gpu = true, gpuMemoryFraction }: ContextOptions): Uint8Array {
  const fraction = gpuMemoryFraction === undefined ? [] : doubleField(1, gpuMemoryFraction);
  return Uint8Array.from([
    ...(gpu ? [] : messageField(1, textField(1, 'GPU'), integerField(2, 0))),
    ...(threads === undefined ? [] : [...integerField(2, threads), ...integerField(5, threads)]),
    ...messageField(6, fraction, integerField(4, 1)),
  ]);
}

export function createContext(library: Library, status: Status, settings: ContextOptions): Context {
  const options = library.TFE_NewContextOptions();
  try {
    const config = encodeConfig(settings);
    library.TFE_ContextOptionsSetConfig(options, config, config.length, status.pointer);
    status.check('TFE_ContextOptionsSetConfig');
    library.TFE_ContextOptionsSetDevicePlacementPolicy(options, PLACE_SILENTLY);
    const pointer = library.TFE_NewContext(options, status.pointer);
    status.check('TFE_NewContext');
    return { pointer, devices: listDevices(library, status, pointer), config };
  } finally {
    library.TFE_DeleteContextOptions(options);
  }
}

function listDevices(library: Library, status: Status, context: Pointer): string[] {
  const list = library.TFE_ContextListDevices(context, status.pointer);
  status.check('TFE_ContextListDevices');
  const devices = Array.from({ length: library.TF_DeviceListCount(list) }, (_, i) => library.TF_DeviceListType(list, i, status.pointer));
  library.TF_DeleteDeviceList(list);
  return devices;
}
