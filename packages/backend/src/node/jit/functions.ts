import type { Context } from '../context.js';
import { type Library, addresses } from '../library.js';
import type { Status } from '../status.js';
import { outputName } from './graph.js';
import type { Bytes } from './protobuf.js';

/**
 * Hands a graph to the eager runtime as a function, which then runs like an operation of that name.
 *
 * @param graph - a `GraphDef` as `encodeGraph` writes it.
 * @param parameters - names of the nodes that are its inputs.
 */
export function addFunction(library: Library, status: Status, context: Context, name: string, graph: Bytes, parameters: readonly string[], outputs: number): void {
  const into = library.TF_NewGraph();
  const buffer = library.TF_NewBufferFromString(graph, graph.length);
  const options = library.TF_NewImportGraphDefOptions();
  try {
    library.TF_GraphImportGraphDef(into, buffer, options, status.pointer);
    status.check('jit');
    /** An array of `TF_Output`: pairs of an operation's address and the number of its output. */
    const endpoints = (names: readonly string[]) => addresses(names.flatMap((operation) => [library.TF_GraphOperationByName(into, operation), 0]));
    const to = Array.from({ length: outputs }, (_, i) => outputName(i));
    const made = library.TF_GraphToFunction(into, name, 0, -1, null, parameters.length, endpoints(parameters), outputs, endpoints(to), null, null, null, status.pointer);
    status.check('jit');
    library.TFE_ContextAddFunction(context.pointer, made, status.pointer);
    library.TF_DeleteFunction(made);
    status.check('jit');
  } finally {
    library.TF_DeleteImportGraphDefOptions(options);
    library.TF_DeleteBuffer(buffer);
    library.TF_DeleteGraph(into);
  }
}

export function removeFunction(library: Library, status: Status, context: Context, name: string): void {
  library.TFE_ContextRemoveFunction(context.pointer, name, status.pointer);
  status.check('jit');
}
