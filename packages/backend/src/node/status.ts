import { BackendError } from '@moe/core';
import type { Library, Pointer } from './library.js';

/** What TensorFlow adds around its own messages: the name of its wrapper function and the op again. */
const DECORATION = /\{\{function_node [^}]*\}\}\s*|\s*\[Op:\w+\]( name:\s*)?/g;

/** The one status object into which every call reports. */
export interface Status {
  readonly pointer: Pointer;
  /** @throws {@link BackendError} with the name of the operation, if the last call failed. */
  readonly check: (operation: string) => void;
}

export function createStatus(library: Library): Status {
  const pointer = library.TF_NewStatus();
  return {
    pointer,
    check: (operation) => {
      if (library.TF_GetCode(pointer) === 0) return;
      const message = library.TF_Message(pointer).replace(DECORATION, '').trim();
      // Some functions write into it when they fail, and leave it as it is otherwise.
      library.TF_SetStatus(pointer, 0, '');
      throw new BackendError(`${operation}: ${message}`);
    },
  };
}
