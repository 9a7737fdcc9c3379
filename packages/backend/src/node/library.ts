import { closeSync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { BackendError } from '@moe/core';

/** Address of something that TensorFlow owns. */
export type Pointer = bigint;

/** Memory of JavaScript that TensorFlow reads or writes during a call. */
type Memory = NodeJS.TypedArray | null;

/** What this engine calls of TensorFlow's C interface, by koffi's declarations; parameters as in `tensorflow/c/c_api.h` and `tensorflow/c/eager/c_api.h`. */
const DECLARATIONS = {
  TF_Version: 'const char *TF_Version()',
  TF_NewStatus: 'void *TF_NewStatus()',
  TF_SetStatus: 'void TF_SetStatus(void *, int, str)',
  TF_GetCode: 'int TF_GetCode(void *)',
  TF_Message: 'const char *TF_Message(void *)',
  TF_AllocateTensor: 'void *TF_AllocateTensor(int, void *, int, size_t)',
  TF_DeleteTensor: 'void TF_DeleteTensor(void *)',
  TF_TensorData: 'void *TF_TensorData(void *)',
  TF_TensorByteSize: 'size_t TF_TensorByteSize(void *)',
  TF_TensorType: 'int TF_TensorType(void *)',
  TF_StringInit: 'void TF_StringInit(void *)',
  TF_StringAssignView: 'void TF_StringAssignView(void *, void *, size_t)',
  TF_StringGetDataPointer: 'void *TF_StringGetDataPointer(void *)',
  TF_StringGetSize: 'size_t TF_StringGetSize(void *)',
  TF_DeviceListCount: 'int TF_DeviceListCount(void *)',
  TF_DeviceListType: 'const char *TF_DeviceListType(void *, int, void *)',
  TF_DeleteDeviceList: 'void TF_DeleteDeviceList(void *)',
  TF_NewGraph: 'void *TF_NewGraph()',
  TF_DeleteGraph: 'void TF_DeleteGraph(void *)',
  TF_NewSessionOptions: 'void *TF_NewSessionOptions()',
  TF_DeleteSessionOptions: 'void TF_DeleteSessionOptions(void *)',
  TF_SetConfig: 'void TF_SetConfig(void *, void *, size_t, void *)',
  TF_LoadSessionFromSavedModel: 'void *TF_LoadSessionFromSavedModel(void *, void *, str, str *, int, void *, void *, void *)',
  TF_CloseSession: 'void TF_CloseSession(void *, void *)',
  TF_DeleteSession: 'void TF_DeleteSession(void *, void *)',
  TF_NewBufferFromString: 'void *TF_NewBufferFromString(void *, size_t)',
  TF_NewBuffer: 'void *TF_NewBuffer()',
  TF_DeleteBuffer: 'void TF_DeleteBuffer(void *)',
  TF_GetAllOpList: 'void *TF_GetAllOpList()',
  TF_NewImportGraphDefOptions: 'void *TF_NewImportGraphDefOptions()',
  TF_DeleteImportGraphDefOptions: 'void TF_DeleteImportGraphDefOptions(void *)',
  TF_GraphImportGraphDef: 'void TF_GraphImportGraphDef(void *, void *, void *, void *)',
  TF_GraphToFunction: 'void *TF_GraphToFunction(void *, str, uint8_t, int, void *, int, void *, int, void *, void *, void *, str, void *)',
  TF_DeleteFunction: 'void TF_DeleteFunction(void *)',
  TF_GraphOperationByName: 'void *TF_GraphOperationByName(void *, str)',
  TF_SessionRun: 'void TF_SessionRun(void *, void *, void *, void *, int, void *, void *, int, void *, int, void *, void *)',
  TFE_NewContextOptions: 'void *TFE_NewContextOptions()',
  TFE_DeleteContextOptions: 'void TFE_DeleteContextOptions(void *)',
  TFE_ContextOptionsSetConfig: 'void TFE_ContextOptionsSetConfig(void *, void *, size_t, void *)',
  TFE_ContextOptionsSetDevicePlacementPolicy: 'void TFE_ContextOptionsSetDevicePlacementPolicy(void *, int)',
  TFE_EnableCollectiveOps: 'void TFE_EnableCollectiveOps(void *, void *, size_t, void *)',
  TFE_AbortCollectiveOps: 'void TFE_AbortCollectiveOps(void *, void *)',
  TFE_NewContext: 'void *TFE_NewContext(void *, void *)',
  TFE_ContextListDevices: 'void *TFE_ContextListDevices(void *, void *)',
  TFE_ContextAddFunction: 'void TFE_ContextAddFunction(void *, void *, void *)',
  TFE_ContextRemoveFunction: 'void TFE_ContextRemoveFunction(void *, str, void *)',
  TFE_NewTensorHandle: 'void *TFE_NewTensorHandle(void *, void *)',
  TFE_DeleteTensorHandle: 'void TFE_DeleteTensorHandle(void *)',
  TFE_TensorHandleResolve: 'void *TFE_TensorHandleResolve(void *, void *)',
  TFE_TensorHandleDataType: 'int TFE_TensorHandleDataType(void *)',
  TFE_TensorHandleNumDims: 'int TFE_TensorHandleNumDims(void *, void *)',
  TFE_TensorHandleDim: 'int64_t TFE_TensorHandleDim(void *, int, void *)',
  TFE_NewOp: 'void *TFE_NewOp(void *, str, void *)',
  TFE_DeleteOp: 'void TFE_DeleteOp(void *)',
  TFE_OpAddInput: 'void TFE_OpAddInput(void *, void *, void *)',
  TFE_OpSetAttrString: 'void TFE_OpSetAttrString(void *, str, void *, size_t)',
  TFE_OpSetAttrStringList: 'void TFE_OpSetAttrStringList(void *, str, void *, void *, int)',
  TFE_OpSetAttrInt: 'void TFE_OpSetAttrInt(void *, str, int64_t)',
  TFE_OpSetAttrIntList: 'void TFE_OpSetAttrIntList(void *, str, void *, int)',
  TFE_OpSetAttrFloat: 'void TFE_OpSetAttrFloat(void *, str, float)',
  TFE_OpSetAttrFloatList: 'void TFE_OpSetAttrFloatList(void *, str, void *, int)',
  TFE_OpSetAttrBool: 'void TFE_OpSetAttrBool(void *, str, uint8_t)',
  TFE_OpSetAttrBoolList: 'void TFE_OpSetAttrBoolList(void *, str, void *, int)',
  TFE_OpSetAttrType: 'void TFE_OpSetAttrType(void *, str, int)',
  TFE_OpSetAttrTypeList: 'void TFE_OpSetAttrTypeList(void *, str, void *, int)',
  TFE_OpSetAttrShape: 'void TFE_OpSetAttrShape(void *, str, void *, int, void *)',
  TFE_Execute: 'void TFE_Execute(void *, void *, void *, void *)',
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
  readonly executeElsewhere: (op: Pointer, outputs: NodeJS.TypedArray, counts: NodeJS.TypedArray, status: Pointer) => Promise<void>;
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
    return { ...Object.fromEntries(functions), memcpy, address: (memory: NodeJS.TypedArray) => koffi.address(memory), executeElsewhere } as Library;
  } catch (error) {
    throw new BackendError(`useBackend: TensorFlow must load from ${paths.join(' and ')}, got ${(error as Error).message} Run \`npx moe-backend doctor\`.`, { cause: error });
  }
}

/** Copies the bytes out of a `TF_Buffer`, which begins with an address and a length. */
export function readBuffer(library: Library, buffer: Pointer): Uint8Array {
  const head = new BigUint64Array(2);
  library.memcpy(head, buffer, 16);
  const bytes = new Uint8Array(Number(head[1]));
  if (bytes.length > 0) library.memcpy(bytes, head[0]!, bytes.length);
  return bytes;
}
