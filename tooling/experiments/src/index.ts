export { readJson, writeJson } from './json.js';
export { type Pair, type Paired, bestAgainst, countRight, mean, overSeeds, paired } from './paired.js';
export { Progress, formatSeconds } from './progress.js';
export { type Provenance, provenance } from './provenance.js';
export { shardOf } from './shard.js';
