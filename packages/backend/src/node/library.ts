import { closeSync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { BackendError } from '@moe/core';

/** Address of something that TensorFlow owns. As a number, which costs a call less than a bigint does; addresses have at most 52 bits wherever TensorFlow runs. */
export type Pointer = number;

/** Address of nothing. */
export const NOTHING: Pointer = 0;

/** An array of addresses as C reads it. */
export const addresses = (pointers: readonly Pointer[]): BigUint64Array => BigUint64Array.from(pointers, BigInt);

/** Memory of JavaScript that TensorFlow reads or writes during a call. */
type Memory = NodeJS.TypedArray | null;

/** What this engine calls of TensorFlow's C interface, by koffi's declarations; parameters as in `tensorflow/c/c_api.h` and `tensorflow/c/eager/c_api.h`. */
const DECLARATIONS = {
  TF_Version: 'const char *TF_Version()',
  TF_NewStatus: 'intptr_t TF_NewStatus()',
  TF_SetStatus: 'void TF_SetStatus(intptr_t, int, str)',
  TF_GetCode: 'int TF_GetCode(intptr_t)',
  TF_Message: 'const char *TF_Message(intptr_t)',
  TF_AllocateTensor: 'intptr_t TF_AllocateTensor(int, void *, int, size_t)',
  TF_DeleteTensor: 'void TF_DeleteTensor(intptr_t)',
  TF_TensorData: 'intptr_t TF_TensorData(intptr_t)',
  TF_TensorByteSize: 'size_t TF_TensorByteSize(intptr_t)',
  TF_TensorType: 'int TF_TensorType(intptr_t)',
  TF_StringInit: 'void TF_StringInit(intptr_t)',
  TF_StringAssignView: 'void TF_StringAssignView(intptr_t, intptr_t, size_t)',
  TF_StringGetDataPointer: 'intptr_t TF_StringGetDataPointer(intptr_t)',
  TF_StringGetSize: 'size_t TF_StringGetSize(intptr_t)',
  TF_DeviceListCount: 'int TF_DeviceListCount(intptr_t)',
  TF_DeviceListType: 'const char *TF_DeviceListType(intptr_t, int, intptr_t)',
  TF_DeleteDeviceList: 'void TF_DeleteDeviceList(intptr_t)',
  TF_NewGraph: 'intptr_t TF_NewGraph()',
  TF_DeleteGraph: 'void TF_DeleteGraph(intptr_t)',
  TF_NewSessionOptions: 'intptr_t TF_NewSessionOptions()',
  TF_DeleteSessionOptions: 'void TF_DeleteSessionOptions(intptr_t)',
  TF_SetConfig: 'void TF_SetConfig(intptr_t, void *, size_t, intptr_t)',
  TF_LoadSessionFromSavedModel: 'intptr_t TF_LoadSessionFromSavedModel(intptr_t, intptr_t, str, str *, int, intptr_t, intptr_t, intptr_t)',
  TF_CloseSession: 'void TF_CloseSession(intptr_t, intptr_t)',
  TF_DeleteSession: 'void TF_DeleteSession(intptr_t, intptr_t)',
  TF_NewBufferFromString: 'intptr_t TF_NewBufferFromString(void *, size_t)',
  TF_NewBuffer: 'intptr_t TF_NewBuffer()',
  TF_DeleteBuffer: 'void TF_DeleteBuffer(intptr_t)',
  TF_GetAllOpList: 'intptr_t TF_GetAllOpList()',
  TF_NewImportGraphDefOptions: 'intptr_t TF_NewImportGraphDefOptions()',
  TF_DeleteImportGraphDefOptions: 'void TF_DeleteImportGraphDefOptions(intptr_t)',
  TF_GraphImportGraphDef: 'void TF_GraphImportGraphDef(intptr_t, intptr_t, intptr_t, intptr_t)',
  TF_GraphToFunction: 'intptr_t TF_GraphToFunction(intptr_t, str, uint8_t, int, void *, int, void *, int, void *, void *, void *, str, intptr_t)',
  TF_DeleteFunction: 'void TF_DeleteFunction(intptr_t)',
  TF_GraphOperationByName: 'intptr_t TF_GraphOperationByName(intptr_t, str)',
  TF_SessionRun: 'void TF_SessionRun(intptr_t, intptr_t, void *, void *, int, void *, void *, int, void *, int, intptr_t, intptr_t)',
  TFE_NewContextOptions: 'intptr_t TFE_NewContextOptions()',
  TFE_DeleteContextOptions: 'void TFE_DeleteContextOptions(intptr_t)',
  TFE_ContextOptionsSetConfig: 'void TFE_ContextOptionsSetConfig(intptr_t, void *, size_t, intptr_t)',
  TFE_ContextOptionsSetDevicePlacementPolicy: 'void TFE_ContextOptionsSetDevicePlacementPolicy(intptr_t, int)',
  TFE_EnableCollectiveOps: 'void TFE_EnableCollectiveOps(intptr_t, void *, size_t, intptr_t)',
  TFE_AbortCollectiveOps: 'void TFE_AbortCollectiveOps(intptr_t, intptr_t)',
  TFE_NewContext: 'intptr_t TFE_NewContext(intptr_t, intptr_t)',
  TFE_ContextListDevices: 'intptr_t TFE_ContextListDevices(intptr_t, intptr_t)',
  TFE_ContextAddFunction: 'void TFE_ContextAddFunction(intptr_t, intptr_t, intptr_t)',
  TFE_ContextRemoveFunction: 'void TFE_ContextRemoveFunction(intptr_t, str, intptr_t)',
  TFE_NewTensorHandle: 'intptr_t TFE_NewTensorHandle(intptr_t, intptr_t)',
  TFE_DeleteTensorHandle: 'void TFE_DeleteTensorHandle(intptr_t)',
  TFE_TensorHandleResolve: 'intptr_t TFE_TensorHandleResolve(intptr_t, intptr_t)',
  TFE_TensorHandleDataType: 'int TFE_TensorHandleDataType(intptr_t)',
  TFE_TensorHandleNumDims: 'int TFE_TensorHandleNumDims(intptr_t, intptr_t)',
  TFE_TensorHandleDim: 'int64_t TFE_TensorHandleDim(intptr_t, int, intptr_t)',
  TFE_NewOp: 'intptr_t TFE_NewOp(intptr_t, str, intptr_t)',
  TFE_OpReset: 'void TFE_OpReset(intptr_t, str, intptr_t, intptr_t)',
  TFE_DeleteOp: 'void TFE_DeleteOp(intptr_t)',
  TFE_OpAddInput: 'void TFE_OpAddInput(intptr_t, intptr_t, intptr_t)',
  TFE_OpSetAttrString: 'void TFE_OpSetAttrString(intptr_t, str, void *, size_t)',
  TFE_OpSetAttrStringList: 'void TFE_OpSetAttrStringList(intptr_t, str, void *, void *, int)',
  TFE_OpSetAttrInt: 'void TFE_OpSetAttrInt(intptr_t, str, int64_t)',
  TFE_OpSetAttrIntList: 'void TFE_OpSetAttrIntList(intptr_t, str, void *, int)',
  TFE_OpSetAttrFloat: 'void TFE_OpSetAttrFloat(intptr_t, str, float)',
  TFE_OpSetAttrFloatList: 'void TFE_OpSetAttrFloatList(intptr_t, str, void *, int)',
  TFE_OpSetAttrBool: 'void TFE_OpSetAttrBool(intptr_t, str, uint8_t)',
  TFE_OpSetAttrBoolList: 'void TFE_OpSetAttrBoolList(intptr_t, str, void *, int)',
  TFE_OpSetAttrType: 'void TFE_OpSetAttrType(intptr_t, str, int)',
  TFE_OpSetAttrTypeList: 'void TFE_OpSetAttrTypeList(intptr_t, str, void *, int)',
  TFE_OpSetAttrShape: 'void TFE_OpSetAttrShape(intptr_t, str, void *, int, intptr_t)',
  TFE_Execute: 'void TFE_Execute(intptr_t, intptr_t, intptr_t, intptr_t)',
} as const;

type Results = 'TF_Version' | 'TF_Message' | 'TF_DeviceListType';
type Counts =
  | 'TF_GetCode' | 'TF_TensorByteSize' | 'TF_TensorType' | 'TF_StringGetSize' | 'TF_DeviceListCount'
  | 'TFE_TensorHandleDataType' | 'TFE_TensorHandleNumDims' | 'TFE_TensorHandleDim';
type Argument = Pointer | Memory | number | string | readonly string[];

/** The C functions by their names, and access to TensorFlow's memory. */
export type Library = {
  readonly [Name in keyof typeof DECLARATIONS]: (...args: readonly Argument[]) => Name extends Results ? string : Name extends Counts ? number : Pointer;
} & {
  /** Copies bytes, of which one side may be memory of JavaScript. A view of koffi's would live until the event loop runs, and long steps would pile them up. */
  readonly memcpy: (to: Pointer | NodeJS.TypedArray, from: Pointer | NodeJS.TypedArray, bytes: number) => void;
  /** Address of memory of JavaScript, valid while the array lives. */
  readonly address: (memory: NodeJS.TypedArray) => Pointer;
  /** `TFE_Execute` on a thread of koffi's, for operations that wait for other processes. */
  readonly executeElsewhere: (op: Pointer, outputs: Pointer, counts: Pointer, status: Pointer) => Promise<void>;
};

interface SharedObject {
  func(declaration: string): Callable;
}

interface Callable {
  (...args: Argument[]): unknown;
  readonly async: (...args: [...Argument[], (error: Error | null) => void]) => void;
}

interface Loader {
  load(path: string | null): SharedObject;
}

/** `RTLD_NOW` of `dlopen`. */
const RESOLVE_NOW = 2;

/** Abseil's function that sets the lowest severity logged. It has no counterpart in the C interface and no environment variable. */
const SET_LOG_LEVEL = 'void _ZN4absl12lts_2025081414SetMinLogLevelENS0_18LogSeverityAtLeastE(int)';

/**
 * Loads the objects for good and without chatter.
 *
 * @remarks
 * koffi unloads its objects when Node ends, and then the exit handlers that TensorFlow registered would run into unmapped memory: one more reference, never given back, keeps them.
 * TensorFlow writes its first lines while it is being loaded, before any level can be set: the stream of errors goes nowhere meanwhile.
 */
function loadQuietly(koffi: Loader, paths: readonly string[]): SharedObject[] {
  if (process.platform === 'win32') return paths.map((path) => koffi.load(path));
  const system = koffi.load(null);
  const [dlopen, dup, dup2, close] = ['void *dlopen(str, int)', 'int dup(int)', 'int dup2(int, int)', 'int close(int)'].map((declaration) => system.func(declaration));
  const level = Number(process.env.TF_CPP_MIN_LOG_LEVEL);
  const errors = dup!(2) as number;
  const nowhere = openSync('/dev/null', 'w');
  try {
    if (level > 0) dup2!(nowhere, 2);
    const objects = paths.map((path) => koffi.load(path));
    for (const path of paths) dlopen!(path, RESOLVE_NOW);
    for (const object of objects) setLogLevel(object, level);
    return objects;
  } finally {
    dup2!(errors, 2);
    close!(errors);
    closeSync(nowhere);
  }
}

function setLogLevel(object: SharedObject, level: number): void {
  try {
    object.func(SET_LOG_LEVEL)(level);
  } catch {
    // Another version of Abseil, or an object without it: the rest of the log stays.
  }
}

/**
 * Loads the shared objects of TensorFlow.
 *
 * @param paths - in the order of loading; every function is taken from the last one that has it.
 * @throws {@link BackendError} if koffi is not installed, or if an object does not load or lacks a function.
 */
export async function loadLibrary(paths: readonly string[]): Promise<Library> {
  // Read by some parts of TensorFlow once, when it is loaded: errors only.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '3';
  const { default: koffi } = await import('koffi').catch((error: unknown) => {
    throw new BackendError("useBackend: the engine 'tensorflow' needs the package 'koffi'. Run `npm install koffi @tensorflow/tfjs-node-gpu --ignore-scripts`.", { cause: error });
  });
  try {
    const objects = loadQuietly(koffi, paths).reverse();
    const find = (declaration: string): Callable => {
      for (const object of objects.slice(0, -1)) {
        try {
          return object.func(declaration);
        } catch {
          // The function is in another object.
        }
      }
      return objects.at(-1)!.func(declaration);
    };
    const functions = Object.entries(DECLARATIONS).map(([name, declaration]) => [name, find(declaration)]);
    const memcpy = koffi.load(process.platform === 'win32' ? 'msvcrt.dll' : null).func('void *memcpy(void *, void *, size_t)');
    const executeElsewhere = promisify(find(DECLARATIONS.TFE_Execute).async);
    return { ...Object.fromEntries(functions), memcpy, address: (memory: NodeJS.TypedArray) => Number(koffi.address(memory)), executeElsewhere } as Library;
  } catch (error) {
    throw new BackendError(`useBackend: TensorFlow must load from ${paths.join(' and ')}, got ${(error as Error).message} Run \`npx moe-backend doctor\`.`, { cause: error });
  }
}

/** Copies the bytes out of a `TF_Buffer`, which begins with an address and a length. */
export function readBuffer(library: Library, buffer: Pointer): Uint8Array {
  const head = new BigUint64Array(2);
  library.memcpy(head, buffer, 16);
  const bytes = new Uint8Array(Number(head[1]));
  if (bytes.length > 0) library.memcpy(bytes, Number(head[0]), bytes.length);
  return bytes;
}
