import { packageConfig } from '@moe/build';

export default packageConfig();
