/** A box in pixels; `x` grows to the right and `y` downwards. */
interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A point in pixels with the size of its label, and how far its error bars reach. */
export interface LabelledPoint {
  readonly x: number;
  readonly y: number;
  readonly labelWidth: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Left end and vertical middle of a label, the spot of its edge nearest to the point, and whether it lies so far away that it needs a line there. */
export interface Placement {
  readonly x: number;
  readonly y: number;
  readonly nearX: number;
  readonly nearY: number;
  readonly far: boolean;
}

const LABEL_HEIGHT = 16;
const POINT_RADIUS = 7;
const DISTANCES = [11, 26, 44, 64] as const;
const DIRECTIONS = 16;
const BAR_WIDTH = 2;

/**
 * Finds a place for the label of each point: the nearest of 64 positions that covers no label, point or bar and stays inside.
 *
 * @remarks
 * Greedy, in the order of the points, hence deterministic. Where all positions cover something, the one that covers least is taken.
 */
export function placeLabels(points: readonly LabelledPoint[], width: number, height: number): readonly Placement[] {
  const taken: Box[] = points.flatMap(({ x, y, left, right, top, bottom }) => [
    { x: x - POINT_RADIUS, y: y - POINT_RADIUS, width: 2 * POINT_RADIUS, height: 2 * POINT_RADIUS },
    { x: left, y: y - BAR_WIDTH / 2, width: right - left, height: BAR_WIDTH },
    { x: x - BAR_WIDTH / 2, y: top, width: BAR_WIDTH, height: bottom - top },
  ]);
  return points.map((point) => {
    let best: { box: Box; cost: number; far: boolean } | undefined;
    for (const [ring, distance] of DISTANCES.entries()) {
      for (let direction = 0; direction < DIRECTIONS; direction++) {
        const box = labelBox(point, distance, (2 * Math.PI * direction) / DIRECTIONS);
        const covered = taken.reduce((sum, other) => sum + overlap(box, other), 0) + 10 * outside(box, width, height);
        const cost = covered + 40 * ring + 0.01 * direction;
        if (best === undefined || cost < best.cost) best = { box, cost, far: ring > 0 };
      }
    }
    const { box, far } = best!;
    taken.push(box);
    const within = (value: number, start: number, length: number): number => Math.min(start + length, Math.max(start, value));
    return { x: box.x, y: box.y + box.height / 2, nearX: within(point.x, box.x, box.width), nearY: within(point.y, box.y, box.height), far };
  });
}

/* The label touches a circle around its point from outside, in the given direction: with a corner, or the middle of a side where it lies straight. */
function labelBox({ x, y, labelWidth }: LabelledPoint, distance: number, angle: number): Box {
  const [across, up] = [Math.cos(angle), Math.sin(angle)];
  return {
    x: x + distance * across - labelWidth * before(across),
    y: y - distance * up - LABEL_HEIGHT * before(-up),
    width: labelWidth,
    height: LABEL_HEIGHT,
  };
}

/* Share of a length that lies before the touching point. */
const before = (towards: number): number => (Math.abs(towards) < 0.3 ? 0.5 : towards > 0 ? 0 : 1);

function overlap(a: Box, b: Box): number {
  const wide = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const high = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return wide > 0 && high > 0 ? wide * high : 0;
}

const outside = (box: Box, width: number, height: number): number => box.width * box.height - overlap(box, { x: 0, y: 0, width, height });
