import { defineConfig } from 'vitest/config';

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
  },
});

export default defineConfig({
  test: {
    reporters: ['default', './tooling/checks/src/summary-reporter.mjs'],
    projects: [
      engine('cpu'),
      engine('wasm'),
      {
        resolve: { conditions },
        ssr: { resolve: { conditions } },
        test: {
          name: 'once',
          include: ['packages/*/src/**/*.once.test.ts', 'examples/**/*.test.ts', 'benchmarks/**/*.test.ts', 'tooling/**/*.test.ts'],
          testTimeout: 300_000,
          pool: 'forks' as const,
        },
      },
    ],
  },
});
