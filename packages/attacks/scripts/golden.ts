/**
 * Writes fixtures/golden.json anew: what every attack does to a small network, for src/golden.test.ts. Run it only after a change that is meant to change what an attack does.
 *
 *   node --conditions=@moe/source --import tsx packages/attacks/scripts/golden.ts
 */
import { fileURLToPath } from 'node:url';
import { writeFileAtomic } from '@moe/core/node';
import '@tensorflow/tfjs-backend-cpu';
import { goldenOutcomes } from '../src/testing/golden-cases.js';

const rounded = (_: string, value: unknown): unknown => (typeof value === 'number' ? Number(value.toPrecision(7)) : value);
const lines = Object.entries(goldenOutcomes()).map(([name, outcome]) => `${JSON.stringify(name)}: ${JSON.stringify(outcome, rounded)}`);
await writeFileAtomic(fileURLToPath(new URL('../fixtures/golden.json', import.meta.url)), `{\n${lines.join(',\n')}\n}\n`);
