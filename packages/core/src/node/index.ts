export { readFileBounded, writeFileAtomic } from './files.js';
