import type { Options } from 'tsup';

export declare function packageConfig(entry?: Record<string, string>, external?: string[]): Options | Options[] | ((options: Options) => Options | Options[]);
