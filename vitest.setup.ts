// Before the tests of a file: the engine of the vitest project, with the kernels of `@moe/backend`.
import { ENGINE } from '@moe/testing';
import { enableProdMode } from '@tensorflow/tfjs-core';
import { beforeAll } from 'vitest';
import { type EngineName, useBackend } from './packages/backend/src/index.js';

enableProdMode();

beforeAll(async () => {
  await useBackend(ENGINE as EngineName);
});
