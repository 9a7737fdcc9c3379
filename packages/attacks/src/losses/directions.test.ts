import { tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { DIRECTIONS } from './directions.js';
import { LOSSES, type LossName } from './losses.js';
import { targetedRow } from './targeted-loss.js';

const CASES: readonly (readonly [name: string, logits: number[], classes: number])[] = [
  ['random logits', Array.from(createRng(1).normal(8 * 5, 0, 3)), 5],
  ['two classes', Array.from(createRng(2).normal(8 * 2, 0, 3)), 2],
  ['ties', [1, 1, 1, 0, 2, 2, 0, 2, 3, 3, 1, 1], 4],
  ['a lead of 90', [100, 10, 9, 0, 1, 91], 3],
];

describe.each(Object.keys(LOSSES) as LossName[])('direction of %s on the engine', (loss) => {
  it.each(CASES)('is that of the host for %s', (_, logits, classes) => {
    const rows = logits.length / classes;
    const labels = Int32Array.from({ length: rows }, (__, row) => row % classes);
    const expected = new Float32Array(logits.length);
    labels.forEach((label, row) => void LOSSES[loss](Float32Array.from(logits), row * classes, classes, label, expected, row));
    expectTensorsKept(0, () => tidy(() => void expect(DIRECTIONS[loss](tensor2d(logits, [rows, classes]), tensor1d(labels, 'int32'))).toBeAllClose(expected, { rtol: 1e-5, atol: 1e-6 })));
  });
});

describe.each(['cw', 'dlr'] as const)('direction of the targeted %s on the engine', (loss) => {
  it.each(CASES)('is that of the host for %s', (_, logits, classes) => {
    const rows = logits.length / classes;
    const labels = Int32Array.from({ length: rows }, (__, row) => row % classes);
    const targets = labels.map((label) => (label + 1) % classes);
    const expected = new Float32Array(logits.length);
    labels.forEach((label, row) => void targetedRow(loss, targets)(Float32Array.from(logits), row * classes, classes, label, expected, row));
    tidy(() => {
      const reference = tensor2d(Array.from(labels).flatMap((label, row) => [label, targets[row]!]), [rows, 2], 'int32');
      const found = DIRECTIONS[`targeted-${loss}`](tensor2d(logits, [rows, classes]), reference);
      expect(found).toBeAllClose(expected, { rtol: 1e-5, atol: 1e-6 });
    });
  });
});
