import type { Library, Pointer } from './library.js';
import { integerField, messageField } from './protobuf.js';
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

/** `ConfigProto` of TensorFlow: fields 2 and 5 are the threads within and between operations, 6.4 lets a GPU's memory grow as needed. */
function encodeConfig(threads: number | undefined): Uint8Array {
  const growth = messageField(6, integerField(4, 1));
  return Uint8Array.from(threads === undefined ? growth : [...integerField(2, threads), ...integerField(5, threads), ...growth]);
}

export function createContext(library: Library, status: Status, threads: number | undefined): Context {
  const options = library.TFE_NewContextOptions();
  try {
    const config = encodeConfig(threads);
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
