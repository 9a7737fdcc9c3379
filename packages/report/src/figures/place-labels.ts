/** A box in pixels; `x` grows to the right and `y` downwards. */
interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A point in pixels with the size of its label. */
export interface LabelledPoint {
  readonly x: number;
  readonly y: number;
  readonly labelWidth: number;
}

/** Left end and vertical middle of a label, and whether it lies far enough away to need a line to its point. */
export interface Placement {
  readonly x: number;
  readonly y: number;
  readonly far: boolean;
}

export const LABEL_HEIGHT = 16;
const POINT_RADIUS = 7;
const DISTANCES = [11, 26, 44, 64] as const;
const DIRECTIONS = 16;

/**
 * Finds a place for the label of each point: the nearest of 64 positions that covers no other label and no point and stays inside.
 *
 * @remarks
 * Greedy, in the order of the points, hence deterministic. Where all positions cover something, the one that covers least is taken.
 */
export function placeLabels(points: readonly LabelledPoint[], width: number, height: number): readonly Placement[] {
  const taken: Box[] = points.map(({ x, y }) => ({ x: x - POINT_RADIUS, y: y - POINT_RADIUS, width: 2 * POINT_RADIUS, height: 2 * POINT_RADIUS }));
  return points.map((point) => {
    let best: { box: Box; cost: number; far: boolean } | undefined;
    for (const [ring, distance] of DISTANCES.entries()) {
      for (let direction = 0; direction < DIRECTIONS; direction++) {
        const box = labelBox(point, distance, (2 * Math.PI * direction) / DIRECTIONS);
        const covered = taken.reduce((sum, other) => sum + overlap(box, other), 0) + 10 * outside(box, width, height);
        const cost = covered + 12 * ring + 0.01 * direction;
        if (best === undefined || cost < best.cost) best = { box, cost, far: ring > 0 };
      }
    }
    const { box, far } = best!;
    taken.push(box);
    return { x: box.x, y: box.y + box.height / 2, far };
  });
}

/* The label touches a circle around its point from outside, in the given direction. */
function labelBox({ x, y, labelWidth }: LabelledPoint, distance: number, angle: number): Box {
  const nearX = x + distance * Math.cos(angle);
  const nearY = y - distance * Math.sin(angle);
  return {
    x: nearX - (labelWidth * (1 - Math.cos(angle))) / 2,
    y: nearY - (LABEL_HEIGHT * (1 + Math.sin(angle))) / 2,
    width: labelWidth,
    height: LABEL_HEIGHT,
  };
}

function overlap(a: Box, b: Box): number {
  const wide = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const high = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return wide > 0 && high > 0 ? wide * high : 0;
}

const outside = (box: Box, width: number, height: number): number => box.width * box.height - overlap(box, { x: 0, y: 0, width, height });
