export { type FileCheckpointOptions, fileCheckpoint } from './file-checkpoint.js';
export { jsonLineEvents } from './json-lines.js';
export { tensorBoardEvents } from './tensor-board.js';
