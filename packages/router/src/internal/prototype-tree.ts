// Shapes: E prototypes of D numbers. Everything here is on the host.

/** A node over some prototypes: a leaf is one of them. */
export interface PrototypeTree {
  /** Mean of the prototypes below. */
  readonly centre: Float64Array;
  readonly children: readonly PrototypeTree[];
  /** Numbers of the prototypes below, in ascending order. */
  readonly leaves: readonly number[];
}

export function squaredDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += (a[i]! - b[i]!) ** 2;
  return total;
}

/** Place of the smallest value, the first of several. */
function smallest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value < values[best]! ? i : best), 0);
}

function meanOf(rows: readonly ArrayLike<number>[]): Float64Array {
  return Float64Array.from({ length: rows[0]!.length }, (_, d) => rows.reduce((total, row) => total + row[d]!, 0) / rows.length);
}

/** Prototypes that are far apart: the first, then always the one farthest from those taken. */
function seedsOf(prototypes: readonly ArrayLike<number>[], among: readonly number[], count: number): readonly number[] {
  const seeds = [among[0]!];
  while (seeds.length < count) {
    const rest = among.filter((leaf) => !seeds.includes(leaf));
    seeds.push(rest[smallest(rest.map((leaf) => -Math.min(...seeds.map((seed) => squaredDistance(prototypes[leaf]!, prototypes[seed]!)))))]!);
  }
  return seeds;
}

/**
 * Groups prototypes into a tree whose inner nodes have at most `branching` children: around seeds that are far apart, each prototype with its nearest.
 *
 * @param leaves - which prototypes take part.
 */
export function prototypeTree(prototypes: readonly ArrayLike<number>[], branching: number, leaves: readonly number[]): PrototypeTree {
  const centre = meanOf(leaves.map((leaf) => prototypes[leaf]!));
  if (leaves.length === 1) return { centre, children: [], leaves };
  if (leaves.length <= branching) return { centre, children: leaves.map((leaf) => prototypeTree(prototypes, branching, [leaf])), leaves };
  const seeds = seedsOf(prototypes, leaves, branching);
  const nearest = (leaf: number): number => (seeds.includes(leaf) ? leaf : seeds[smallest(seeds.map((seed) => squaredDistance(prototypes[leaf]!, prototypes[seed]!)))]!);
  const groups = seeds.map((seed) => leaves.filter((leaf) => nearest(leaf) === seed));
  return { centre, children: groups.map((group) => prototypeTree(prototypes, branching, group)), leaves };
}

/** The prototype at the end of a descent that takes the nearest child at every node; ties go to the child with the lowest prototype. */
export function descend(tree: PrototypeTree, point: ArrayLike<number>, compare = squaredDistance): number {
  let node = tree;
  while (node.children.length > 0) {
    const children = [...node.children].sort((a, b) => a.leaves[0]! - b.leaves[0]!);
    node = children[smallest(children.map(({ centre }) => compare(centre, point)))]!;
  }
  return node.leaves[0]!;
}
