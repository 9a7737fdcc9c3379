import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ArgumentError, BackendError, FileError, expectArgument, expectKnownKeys } from '@moe/core';
import { type NamedTensorMap, Tensor, type TensorInfo, findBackend } from '@tensorflow/tfjs-core';
import type { Binding, TensorMetadata } from '../binding.js';
import { TYPES } from '../types.js';
import { type DtypeName, NAMES, STAND_INS } from './dtypes.js';
import type { Signature, SignatureTensor } from './signatures.js';

/** Options of {@link loadSavedModel}. */
export interface LoadSavedModelOptions {
  /** Which of its graphs: all tags of it. `['serve']` by default, as exporters write it. */
  tags?: readonly string[];
  /** Which function of that graph; `'serving_default'` by default. */
  signature?: string;
}

/** An input or an output of a {@link SavedModel}. */
export interface SavedModelTensor {
  /** TensorFlow's name of its type. */
  readonly dtype: DtypeName;
  /** `null` for a size that is open, `undefined` if even the rank is. */
  readonly shape: readonly (number | null)[] | undefined;
}

/** A function of a SavedModel that TensorFlow runs. It cannot be differentiated. */
export interface SavedModel {
  readonly inputs: Readonly<Record<string, SavedModelTensor>>;
  readonly outputs: Readonly<Record<string, SavedModelTensor>>;
  /**
   * Runs a function of one input and one output.
   *
   * @throws {@link ArgumentError} if there are several, or the tensor has another type.
   * @throws {@link BackendError} with TensorFlow's message, if the shape does not fit or the model was disposed.
   */
  predict(inputs: Tensor): Tensor;
  /** Runs a function on tensors by the names of its inputs, all of them; gives tensors by the names of its outputs. */
  predict(inputs: Readonly<NamedTensorMap>): NamedTensorMap;
  /** Frees the model. A second time does nothing. */
  dispose(): void;
}

/** The parts of the running engine by which tensors become TensorFlow's and back. */
interface Running {
  readonly binding: Binding;
  getInputTensorIds(tensors: readonly TensorInfo[]): number[];
  createOutputTensor(metadata: TensorMetadata): Tensor;
}

const describe = (tensors: Signature['inputs']): Record<string, SavedModelTensor> =>
  Object.fromEntries([...tensors].map(([name, { dtype, shape }]) => [name, { dtype: NAMES[dtype] ?? 'other', shape }]));

function runningEngine(): Running {
  const found = findBackend('tensorflow');
  if (found === null) throw new BackendError("loadSavedModel: the engine 'tensorflow' must run. Call `await useBackend('tensorflow')` first.");
  return found as unknown as Running;
}

/**
 * Loads a SavedModel, the format in which TensorFlow and Keras export models, and runs it with TensorFlow itself. Needs the engine `'tensorflow'`.
 *
 * @remarks
 * int64 inputs are given as int32 tensors; int64 outputs are int32 tensors whose data are a `BigInt64Array`, as in `@tensorflow/tfjs-node`. Other whole numbers become int32, other floats float32.
 * Weights belong to TensorFlow: neither tfjs' `memory()` nor its optimizers see them.
 *
 * @param folder - the one with `saved_model.pb`.
 * @throws {@link FileError} if the folder holds no SavedModel.
 * @throws {@link ArgumentError} if the graph has no such signature.
 * @throws {@link BackendError} if the engine does not run, no graph has the tags, or TensorFlow cannot load it.
 *
 * @example
 * const model = await loadSavedModel('exported');
 * const scores = model.predict(images);
 */
export async function loadSavedModel(folder: string, options: LoadSavedModelOptions = {}): Promise<SavedModel> {
  expectKnownKeys('loadSavedModel', options, ['tags', 'signature']);
  const { tags = ['serve'], signature: name = 'serving_default' } = options;
  const engine = runningEngine();
  if (!existsSync(join(folder, 'saved_model.pb'))) throw new FileError(`loadSavedModel: folder must hold a saved_model.pb, got '${folder}', which has none.`);
  const id = engine.binding.loadSavedModel(folder, tags.join());
  const signatures = engine.binding.signaturesOf(id);
  const signature = signatures.get(name);
  if (signature === undefined) {
    engine.binding.deleteSavedModel(id);
    throw new ArgumentError(`loadSavedModel: signature must be one of ${[...signatures.keys()].map((key) => `'${key}'`).join(', ')}, got '${name}'.`);
  }
  return createModel(engine, id, signature);
}

function createModel(engine: Running, id: number, signature: Signature): SavedModel {
  let disposed = false;
  const [inputs, outputs] = [describe(signature.inputs), describe(signature.outputs)];

  function predict(given: Tensor): Tensor;
  function predict(given: Readonly<NamedTensorMap>): NamedTensorMap;
  function predict(given: Tensor | Readonly<NamedTensorMap>): Tensor | NamedTensorMap {
    if (disposed) throw new BackendError('predict: the model must be loaded, but it was disposed.');
    if (!(given instanceof Tensor)) return run(engine, id, signature, given);
    const [input, output] = [Object.keys(inputs), Object.keys(outputs)];
    if (input.length !== 1 || output.length !== 1) throw new ArgumentError(`predict: inputs must be tensors by name, for this model has the inputs ${input.join(', ')} and the outputs ${output.join(', ')}; got one tensor.`);
    return run(engine, id, signature, { [input[0]!]: given })[output[0]!]!;
  }

  return {
    inputs,
    outputs,
    predict,
    dispose() {
      if (!disposed) engine.binding.deleteSavedModel(id);
      disposed = true;
    },
  };
}

function run(engine: Running, id: number, { inputs, outputs }: Signature, given: Readonly<NamedTensorMap>): NamedTensorMap {
  const names = [...inputs.keys()];
  expectArgument('predict', 'inputs', names.length === Object.keys(given).length && names.every((name) => given[name] instanceof Tensor), `be tensors for ${names.join(', ')}`, Object.keys(given));
  const { binding } = engine;
  const temporary: number[] = [];
  const cast = (tensor: number, dtype: number): TensorMetadata => binding.executeOp('Cast', [{ name: 'DstT', type: TYPES.TF_ATTR_TYPE, value: dtype }], [tensor], 1)[0]!;
  const toInput = ([name, wanted]: [string, SignatureTensor]): number => {
    const tensor = given[name]!;
    const handle = engine.getInputTensorIds([tensor])[0]!;
    const dtype = binding.dtypeOf(handle);
    if (dtype === wanted.dtype) return handle;
    expectArgument('predict', `the type of ${name}`, STAND_INS[wanted.dtype] === dtype, `fit ${NAMES[wanted.dtype] ?? `TensorFlow's type ${wanted.dtype}`}`, tensor.dtype);
    const { id: made } = cast(handle, wanted.dtype);
    temporary.push(made);
    return made;
  };
  try {
    const handles = [...inputs].map(toInput);
    const nodes = (tensors: Signature['inputs']) => [...tensors.values()].map(({ node }) => node).join();
    const results = binding.runSavedModel(id, handles, nodes(inputs), nodes(outputs));
    const known = results.map((result) => {
      const type = STAND_INS[result.dtype];
      if (type === undefined || result.dtype === TYPES.TF_INT64) return result;
      temporary.push(result.id);
      return cast(result.id, type);
    });
    return Object.fromEntries([...outputs.keys()].map((name, i) => [name, engine.createOutputTensor(known[i]!)]));
  } finally {
    for (const made of temporary) binding.deleteTensor(made);
  }
}
