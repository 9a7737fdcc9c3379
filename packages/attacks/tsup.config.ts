import { packageConfig } from '@moe/build';

export default packageConfig({ index: 'src/index.ts', node: 'src/node/index.ts' });
