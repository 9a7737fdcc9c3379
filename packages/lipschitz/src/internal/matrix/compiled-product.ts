import { F64, I32, V128, ZERO, add, below, constant, get, lanes, load, loopWhile, minus, moduleOf, multiply, plus, set, splat, store, times } from './assembly.js';

/** `C += sign · A Bᵀ`; addresses and steps from row to row in bytes. Rows of A come in twos, rows of B in fours, columns in eights. */
export type CompiledProduct = (a: number, b: number, c: number, rows: number, columns: number, inner: number, stepA: number, stepB: number, stepC: number, sign: number) => void;

const [A, B, C, ROWS, COLUMNS, INNER, STEP_A, STEP_B, STEP_C, SIGN] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const;
/** Rows of A, then of B, on their way through the columns. */
const AT = [10, 11, 12, 13, 14, 15] as const;
const [ROW_B, AT_C, I, J, END] = [16, 17, 18, 19, 20] as const;
const SUMS = Array.from({ length: 8 }, (_, index) => 21 + index);
const [X0, X1, Y, FACTOR] = [29, 30, 31, 32] as const;

const move = (local: number, by: number): readonly number[] => set(local, plus(get(local), constant(by)));
const step = (local: number, by: number): readonly number[] => set(local, plus(get(local), get(by)));

/** Two rows of A with four of B: eight pairs of sums, over two columns each. */
function tile(): readonly number[] {
  const columns = [0, 16, 32, 48].flatMap((offset) => [
    set(X0, load(get(AT[0]), offset)),
    set(X1, load(get(AT[1]), offset)),
    ...[0, 1, 2, 3].flatMap((j) => [
      set(Y, load(get(AT[2 + j]!), offset)),
      set(SUMS[j]!, add(get(SUMS[j]!), multiply(get(X0), get(Y)))),
      set(SUMS[4 + j]!, add(get(SUMS[4 + j]!), multiply(get(X1), get(Y)))),
    ]),
  ]);
  return loopWhile([...columns, ...AT.map((local) => move(local, 64))], below(get(AT[0]), get(END)));
}

/** Both lanes of two sums, added, with the sign to two entries of C. */
function entries(first: number, offset: number): readonly number[] {
  const [s, t] = [get(first), get(first + 1)];
  return store(get(AT_C), add(load(get(AT_C), offset), multiply(get(FACTOR), add(lanes(s, t, 0), lanes(s, t, 1)))), offset);
}

/** WebAssembly of {@link CompiledProduct}: vectors of two float64, each sum over even and over odd columns, and then both. */
export const productModule = (): Uint8Array<ArrayBuffer> =>
  moduleOf('product', [...new Array<number>(9).fill(I32), F64], [[11, I32], [12, V128]], [
    set(FACTOR, splat(get(SIGN))),
    set(I, constant(0)),
    loopWhile([
      set(ROW_B, get(B)),
      set(AT_C, get(C)),
      set(J, constant(0)),
      loopWhile([
        set(AT[0], get(A)),
        set(AT[1], plus(get(A), get(STEP_A))),
        set(AT[2], get(ROW_B)),
        ...[3, 4, 5].map((index) => set(AT[index]!, plus(get(AT[index - 1]!), get(STEP_B)))),
        set(END, plus(get(A), times(get(INNER), constant(8)))),
        ...SUMS.map((local) => set(local, ZERO)),
        tile(),
        entries(SUMS[0]!, 0),
        entries(SUMS[2]!, 16),
        // The second row of A.
        step(AT_C, STEP_C),
        entries(SUMS[4]!, 0),
        entries(SUMS[6]!, 16),
        set(AT_C, minus(plus(get(AT_C), constant(32)), get(STEP_C))),
        set(ROW_B, plus(get(ROW_B), times(get(STEP_B), constant(4)))),
        move(J, 4),
      ], below(get(J), get(COLUMNS))),
      set(A, plus(get(A), times(get(STEP_A), constant(2)))),
      set(C, plus(get(C), times(get(STEP_C), constant(2)))),
      move(I, 2),
    ], below(get(I), get(ROWS))),
  ]);
