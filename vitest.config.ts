import { defineConfig } from 'vitest/config';
import { findTensorflow } from './packages/backend/src/node/installation.js';

const conditions = ['@moe/source'];

/** Every test of the packages runs on each engine; what needs no engine, or all of them, runs once. */
const engine = (name: string) => ({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    name,
    env: { MOE_BACKEND: name },
    include: ['packages/*/src/**/*.test.ts'],
    exclude: ['**/*.once.test.ts', '**/node_modules/**'],
    setupFiles: ['./vitest.setup.ts'],
    isolate: false,
    pool: 'forks' as const,
    testTimeout: 60_000,
    // Starting an engine takes longer on a busy machine.
    hookTimeout: 60_000,
  },
});

/** Tests of the built packages. */
const BUILT = '**/*.built.test.ts';
const ONCE = ['packages/*/src/**/*.once.test.ts', 'examples/**/*.test.ts', 'tooling/**/*.test.ts'];
const once = { pool: 'forks' as const, testTimeout: 300_000 };

export default defineConfig({
  test: {
    // Vitest leaves a core free; on two cores that is half of them.
    maxWorkers: '100%',
    reporters: ['default', './tooling/checks/src/summary-reporter.mjs'],
    projects: [
      engine('cpu'),
      engine('wasm'),
      ...(findTensorflow() === undefined ? [] : [engine('tensorflow')]),
      { resolve: { conditions }, ssr: { resolve: { conditions } }, test: { ...once, name: 'once', include: ONCE, exclude: [BUILT, '**/node_modules/**'] } },
      { test: { ...once, name: 'built', include: [BUILT], globalSetup: './tooling/checks/src/build-packages.ts' } },
    ],
  },
});
