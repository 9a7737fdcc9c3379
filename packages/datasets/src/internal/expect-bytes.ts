import { expectArgument } from '@moe/core';

/** Checks that a reader got bytes, and not, say, the ArrayBuffer of a response. */
export function expectBytes(caller: string, bytes: Uint8Array): void {
  const kind = Object.prototype.toString.call(bytes).slice(8, -1);
  expectArgument(caller, 'bytes', kind === 'Uint8Array', 'be a Uint8Array', kind, kind === 'ArrayBuffer' ? 'Wrap it: new Uint8Array(buffer).' : undefined);
}
