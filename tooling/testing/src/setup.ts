import { enableProdMode, ready, setBackend } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import '@tensorflow/tfjs-layers';
import { beforeAll } from 'vitest';
import './matchers.js';

enableProdMode();

/** Engine under test, named by the vitest project. */
export const ENGINE = process.env.MOE_BACKEND ?? 'cpu';

beforeAll(async () => {
  if (!(await setBackend(ENGINE))) throw new Error(`The engine '${ENGINE}' could not be started.`);
  await ready();
});
