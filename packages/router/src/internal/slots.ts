// Shapes: T tokens, N slots, W numbers per row.
import { gatherRows } from '@moe/core';
import { type Tensor, type Tensor2D, concat, customGrad, scatterND, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import type { Assignment } from '../types.js';

/** Rows in slot order, and back; each is the adjoint of the other, so each is the other's gradient. */
export interface SlotOrder {
  /** `[T,W] → [N,W]`: the row of every slot. */
  toSlots(rows: Tensor2D): Tensor2D;
  /** `[N,W] → [T,W]`: the sum of every token's slots. */
  toTokens(slots: Tensor2D): Tensor2D;
}

/**
 * How one assignment reorders rows.
 *
 * @remarks
 * Both directions run as `ScatterNd`, which on the wasm engine takes a sixtieth of the time of `GatherV2`. That needs as many slots for
 * each token as for any other, which dropless top-k gives; otherwise the way to the slots is a gather.
 */
export function slotOrder(assignment: Assignment): SlotOrder {
  const { numTokens, tokenOfSlot } = assignment;
  const numSlots = tokenOfSlot.length;
  const slotOfCopy = slotsOfCopies(assignment);

  // Index tensors are made where they are used: one made in the forward pass is gone when the gradient runs.
  const scatter = (rows: Tensor2D, target: Int32Array, length: number): Tensor2D =>
    scatterND(tensor2d(target, [target.length, 1], 'int32'), rows, [length, rows.shape[1]]) as Tensor2D;

  const copyOut = (rows: Tensor2D): Tensor2D =>
    tidy(() => {
      if (slotOfCopy === undefined) return gatherRows(rows, tensor1d(tokenOfSlot, 'int32'));
      const copies = numSlots / numTokens;
      return scatter(copies === 1 ? rows : concat(new Array<Tensor2D>(copies).fill(rows), 0), slotOfCopy, numSlots);
    });

  const order: SlotOrder = {
    toSlots: (rows) => customGrad((x) => ({ value: copyOut(x as Tensor2D), gradFunc: (dy) => order.toTokens(dy as Tensor2D) }))(rows) as Tensor2D,
    toTokens: (slots) =>
      customGrad((x) => ({
        value: tidy(() => scatter(x as Tensor2D, tokenOfSlot, numTokens) as Tensor),
        gradFunc: (dy) => order.toSlots(dy as Tensor2D),
      }))(slots) as Tensor2D,
  };
  return order;
}

/** Slot of copy c of token t at `c·T + t`, if all tokens have the same number of slots. */
function slotsOfCopies({ numTokens, tokenOfSlot }: Assignment): Int32Array | undefined {
  const copies = tokenOfSlot.length / numTokens;
  if (!Number.isInteger(copies) || copies === 0) return undefined;
  const seen = new Int32Array(numTokens);
  const slots = new Int32Array(tokenOfSlot.length);
  for (let slot = 0; slot < slots.length; slot++) {
    const token = tokenOfSlot[slot]!;
    const copy = seen[token]!++;
    if (copy === copies) return undefined;
    slots[copy * numTokens + token] = slot;
  }
  return slots;
}
