import { BackendError } from '@moe/core';
import type { TensorMetadata } from '../binding.js';
import type { Context } from '../context.js';
import { type Library, NOTHING, type Pointer, addresses, readBuffer } from '../library.js';
import type { Status } from '../status.js';
import { toHandle } from '../tensors.js';
import { type Signature, readSignatures } from './signatures.js';

interface Session {
  readonly session: Pointer;
  readonly graph: Pointer;
  readonly signatures: ReadonlyMap<string, Signature>;
}

/** The part of the binding that loads and runs SavedModels, each in a session of its own. */
export function createSavedModels(library: Library, status: Status, { config }: Context, handleOf: (id: number) => Pointer, adopt: (handle: Pointer) => TensorMetadata) {
  const models = new Map<number, Session>();
  let nextId = 0;

  const modelOf = (id: number): Session => {
    const model = models.get(id);
    if (model === undefined) throw new BackendError(`runSavedModel: model ${id} must be loaded, but it was deleted.`);
    return model;
  };

  /** An array of `TF_Output`: pairs of an operation's address and the number of its output. */
  const endpoints = ({ graph }: Session, names: readonly string[]): BigUint64Array =>
    addresses(
      names.flatMap((name) => {
        const [operation = '', output = '0'] = name.split(':');
        const pointer = library.TF_GraphOperationByName(graph, operation);
        if (!pointer) throw new BackendError(`runSavedModel: the model must have the operation ${operation}.`);
        return [pointer, Number(output)];
      }),
    );

  return {
    loadSavedModel(folder: string, tags: string): number {
      const options = library.TF_NewSessionOptions();
      const graph = library.TF_NewGraph();
      const metaGraph = library.TF_NewBuffer();
      const names = tags.split(',');
      try {
        library.TF_SetConfig(options, config, config.length, status.pointer);
        status.check('loadSavedModel');
        const session = library.TF_LoadSessionFromSavedModel(options, NOTHING, folder, names, names.length, graph, metaGraph, status.pointer);
        status.check('loadSavedModel');
        models.set(nextId, { session, graph, signatures: readSignatures(readBuffer(library, metaGraph)) });
        return nextId++;
      } catch (error) {
        library.TF_DeleteGraph(graph);
        throw error;
      } finally {
        library.TF_DeleteBuffer(metaGraph);
        library.TF_DeleteSessionOptions(options);
      }
    },
    signaturesOf: (id: number): ReadonlyMap<string, Signature> => modelOf(id).signatures,
    deleteSavedModel(id: number): void {
      const { session, graph } = modelOf(id);
      models.delete(id);
      library.TF_CloseSession(session, status.pointer);
      library.TF_DeleteSession(session, status.pointer);
      library.TF_DeleteGraph(graph);
      status.check('deleteSavedModel');
    },
    runSavedModel(id: number, inputIds: readonly number[], inputNames: string, outputNames: string): TensorMetadata[] {
      const model = modelOf(id);
      const [from, to] = [inputNames, outputNames].map((names) => endpoints(model, names.split(',').filter(Boolean))) as [BigUint64Array, BigUint64Array];
      const inputs: Pointer[] = [];
      try {
        for (const input of inputIds) {
          inputs.push(library.TFE_TensorHandleResolve(handleOf(input), status.pointer));
          status.check('runSavedModel');
        }
        const outputs = new BigUint64Array(to.length / 2);
        library.TF_SessionRun(model.session, NOTHING, from, addresses(inputs), inputs.length, to, outputs, outputs.length, null, 0, NOTHING, status.pointer);
        status.check('runSavedModel');
        return Array.from(outputs, (tensor) => adopt(toHandle(library, status, Number(tensor))));
      } finally {
        for (const input of inputs) library.TF_DeleteTensor(input);
      }
    },
    getNumOfSavedModels: (): number => models.size,
  };
}
