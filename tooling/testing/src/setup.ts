import { enableProdMode } from '@tensorflow/tfjs-core';
import { beforeAll } from 'vitest';
// By path, not by name: the packages depend on this one for their tests.
import { type EngineName, useBackend } from '../../../packages/backend/src/index.js';
import './matchers.js';

enableProdMode();

/** Engine under test, named by the vitest project. */
export const ENGINE = process.env.MOE_BACKEND ?? 'cpu';

beforeAll(async () => {
  await useBackend(ENGINE as EngineName);
});
