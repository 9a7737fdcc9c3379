import { createRng } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { colouredShapes } from './synthetic/coloured-shapes.js';
import { toTensors } from './to-tensors.js';

describe('toTensors', () => {
  it('gives two tensors of the right kind that do not share memory with the batch', async () => {
    const batch = await colouredShapes({ rng: createRng(1), length: 5 }).read([4, 2]);
    const before = { inputs: batch.inputs.slice(), labels: batch.labels.slice() };
    const { inputs, labels } = expectTensorsKept(2, () => toTensors(batch));
    batch.inputs.fill(9);
    batch.labels.fill(9);
    expect(inputs).toHaveShape([2, 8, 8, 3]);
    expect([inputs.dtype, labels.dtype]).toEqual(['float32', 'int32']);
    expect(inputs.dataSync()).toEqual(before.inputs);
    expect(labels.dataSync()).toEqual(before.labels);
    inputs.dispose();
    labels.dispose();
  });
});
