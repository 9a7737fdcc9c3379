// Pictures of high-dimensional points in the plane: principal components, and t-SNE (van der Maaten & Hinton 2008) from them, without random numbers.

type Points = readonly (readonly number[])[];
type Planar = [number, number][];

const centred = (points: Points): number[][] => {
  const means = points[0]!.map((_, j) => points.reduce((sum, row) => sum + row[j]!, 0) / points.length);
  return points.map((row) => row.map((value, j) => value - means[j]!));
};

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const POWER_STEPS = 300;

/** The two directions of largest variance, as coordinates of each point; the sign of each makes its largest entry positive. */
export function pca(points: Points): Planar {
  let rows = centred(points);
  const coordinates: number[][] = [];
  for (let component = 0; component < 2; component++) {
    let direction = rows[0]!.map((_, j) => 1 / (1 + j));
    for (let step = 0; step < POWER_STEPS; step++) {
      const projected = rows.map((row) => dot(row, direction));
      const next = direction.map((_, j) => rows.reduce((sum, row, i) => sum + row[j]! * projected[i]!, 0));
      const length = Math.sqrt(dot(next, next));
      if (length === 0) break;
      direction = next.map((value) => value / length);
    }
    const largest = direction.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
    if (largest < 0) direction = direction.map((value) => -value);
    const along = rows.map((row) => dot(row, direction));
    coordinates.push(along);
    rows = rows.map((row, i) => row.map((value, j) => value - along[i]! * direction[j]!));
  }
  return points.map((_, i) => [coordinates[0]![i]!, coordinates[1]![i]!]);
}

const squaredDistances = (points: Points): number[][] => points.map((a) => points.map((b) => a.reduce((sum, value, j) => sum + (value - b[j]!) ** 2, 0)));

/** Probabilities of the neighbours of one point at the precision that gives the perplexity, by bisection. */
function neighbours(distances: readonly number[], self: number, perplexity: number): number[] {
  let [low, high, precision] = [0, Infinity, 1];
  let found: number[] = [];
  for (let step = 0; step < 60; step++) {
    const nearest = Math.min(...distances.filter((_, j) => j !== self));
    const weights = distances.map((distance, j) => (j === self ? 0 : Math.exp(-precision * (distance - nearest))));
    const total = weights.reduce((a, b) => a + b, 0);
    found = weights.map((weight) => weight / total);
    const entropy = -found.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0);
    if (entropy > Math.log(perplexity)) [low, precision] = [precision, Number.isFinite(high) ? (precision + high) / 2 : 2 * precision];
    else [high, precision] = [precision, (precision + low) / 2];
  }
  return found;
}

export interface TsneOptions {
  /** Number of neighbours that count, below that of the points. */
  readonly perplexity: number;
  readonly iterations: number;
}

const EXAGGERATION = 4;

/** t-SNE with exact gradients, from the principal components: the same points give the same picture. */
export function tsne(points: Points, { perplexity, iterations }: TsneOptions): Planar {
  const count = points.length;
  const conditional = squaredDistances(points).map((row, i) => neighbours(row, i, perplexity));
  const joint = conditional.map((row, i) => row.map((p, j) => Math.max((p + conditional[j]![i]!) / (2 * count), 1e-12)));
  const start = pca(points);
  const spread = Math.sqrt(start.reduce((sum, [x]) => sum + x * x, 0) / count) || 1;
  const at: Planar = start.map(([x, y]) => [(1e-2 * x) / spread, (1e-2 * y) / spread]);
  const velocity: Planar = at.map(() => [0, 0]);
  const early = Math.floor(iterations / 4);
  const rate = Math.max(count / EXAGGERATION, 10);
  for (let iteration = 0; iteration < iterations; iteration++) {
    const kernel = at.map(([x, y]) => at.map(([u, v]) => 1 / (1 + (x - u) ** 2 + (y - v) ** 2)));
    const total = kernel.reduce((sum, row) => sum + row.reduce((a, b) => a + b, 0), 0) - count;
    const [factor, momentum] = iteration < early ? [EXAGGERATION, 0.5] : [1, 0.8];
    const gradients = at.map(([x, y], i): [number, number] => {
      let [gx, gy] = [0, 0];
      at.forEach(([u, v], j) => {
        const weight = 4 * (factor * joint[i]![j]! - kernel[i]![j]! / total) * kernel[i]![j]!;
        gx += weight * (x - u);
        gy += weight * (y - v);
      });
      return [gx, gy];
    });
    gradients.forEach((gradient, i) => {
      for (const axis of [0, 1] as const) {
        velocity[i]![axis] = momentum * velocity[i]![axis] - rate * gradient[axis];
        at[i]![axis] += velocity[i]![axis];
      }
    });
  }
  return at;
}
