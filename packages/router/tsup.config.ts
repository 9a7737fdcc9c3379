import { packageConfig } from '@moe/build';

export default packageConfig({ index: 'src/index.ts', testing: 'src/testing/index.ts' });
