import { packageConfig } from '@moe/build';

// The main entry reaches the Node part by its public name, so that bundlers for browsers take the one for browsers instead.
export default packageConfig({ index: 'src/index.ts', node: 'src/node/index.ts', 'in-browsers': 'src/in-browsers.ts', cli: 'src/node/cli.ts' }, ['@moe/backend/node']);
