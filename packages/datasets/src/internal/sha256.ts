import { BackendError } from '@moe/core';

/** SHA-256 in hexadecimal, by WebCrypto, in Node and browsers. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  if (globalThis.crypto?.subtle === undefined) {
    throw new BackendError('sha256: crypto.subtle must exist to check data, got none. Serve the page over https or from localhost.');
  }
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
