import { convGap } from '../gates/conv-gap.js';
import { gapFc } from '../gates/gap-fc.js';
import { describeRouter } from '../testing/index.js';
import { topKRouter } from './top-k-router.js';

describeRouter('topKRouter with GAP-FC', (numExperts, topK) => topKRouter({ numExperts, topK, gate: gapFc(), balance: 'entropyLoss' }), { topK: [1, 2, 4], onDevice: true });

describeRouter(
  'topKRouter with Conv-GAP, noise and capacity',
  (numExperts, topK) => topKRouter({ numExperts, topK, gate: convGap(), balance: 'centredSwitchLoss', noiseStd: 0.1, capacityFactor: 1 }),
  // 24 rows over 4 experts. At k = 1 nothing overflows: the room for 4 · 6 rows is exactly enough.
  { topK: [1], capacity: () => 6, onDevice: true },
);

describeRouter('topKRouter with unscaled gates', (numExperts, topK) => topKRouter({ numExperts, topK, gate: gapFc(), straightThrough: false, normalise: 'none' }), {
  rowShape: [5],
  weightsSumToOne: false,
  onDevice: true,
});
