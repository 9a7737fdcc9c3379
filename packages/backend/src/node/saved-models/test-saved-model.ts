// Writes a SavedModel without variables, for tests.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bytes, block, integer } from '../jit/protobuf.js';

/** A function `y = op(x)` or `y = op(x, x)` of a test's model. */
interface Piece {
  readonly name: string;
  /** TensorFlow's numbers of the types of input and output. */
  readonly from: number;
  readonly to: number;
  readonly op: string;
  readonly uses: 1 | 2;
  readonly attributes: readonly Bytes[];
}

const typeAttribute = (name: string, dtype: number): Bytes => block(5, block(1, name), block(2, integer(6, dtype)));
const intAttribute = (name: string, value: number): Bytes => block(5, block(1, name), block(2, integer(3, value)));

const node = (name: string, op: string, inputs: readonly string[], attributes: readonly Bytes[]): Bytes =>
  block(1, block(1, name), block(2, op), ...inputs.map((input) => block(3, input)), ...attributes);

/** An input or output of a signature: rows of two numbers, as many as come. */
const tensorInfo = (field: number, key: string, name: string, dtype: number): Bytes =>
  block(field, block(1, key), block(2, block(1, `${name}:0`), integer(2, dtype), block(3, block(2, integer(1, -1)), block(2, integer(1, 2)))));

/** One operation for every type that a SavedModel may take. */
const PIECES: readonly Piece[] = [
  { name: 'float', from: 1, to: 1, op: 'AddV2', uses: 2, attributes: [typeAttribute('T', 1)] },
  { name: 'double', from: 2, to: 2, op: 'AddV2', uses: 2, attributes: [typeAttribute('T', 2)] },
  { name: 'int', from: 3, to: 3, op: 'AddV2', uses: 2, attributes: [typeAttribute('T', 3)] },
  { name: 'long', from: 9, to: 9, op: 'Mul', uses: 2, attributes: [typeAttribute('T', 9)] },
  { name: 'bytes', from: 4, to: 4, op: 'AddV2', uses: 2, attributes: [typeAttribute('T', 4)] },
  { name: 'complex', from: 8, to: 8, op: 'Conj', uses: 1, attributes: [typeAttribute('T', 8)] },
  { name: 'bool', from: 10, to: 10, op: 'LogicalNot', uses: 1, attributes: [] },
  { name: 'string', from: 7, to: 7, op: 'StringJoin', uses: 2, attributes: [intAttribute('N', 2)] },
];

/** Writes `saved_model.pb`: the signature `'serving_default'` doubles floats, `'all'` runs every one of {@link PIECES}. */
export function writeSavedModel(folder: string): void {
  const nodes = PIECES.flatMap(({ name, from, op, uses, attributes }) => [
    node(`${name}_x`, 'Placeholder', [], [typeAttribute('dtype', from)]),
    node(`${name}_y`, op, Array.from({ length: uses }, () => `${name}_x`), attributes),
  ]);
  const signature = (key: string, pieces: readonly Piece[]): Bytes =>
    block(5, block(1, key), block(2, ...pieces.flatMap(({ name, from, to }) => [tensorInfo(1, name, `${name}_x`, from), tensorInfo(2, name, `${name}_y`, to)])));
  const versions = block(4, integer(1, 1087));
  const metaGraph = block(2, block(1, block(4, 'serve')), block(2, ...nodes, versions), signature('serving_default', PIECES.slice(0, 1)), signature('all', PIECES));
  writeFileSync(join(folder, 'saved_model.pb'), Buffer.concat([integer(1, 1), metaGraph]));
}
