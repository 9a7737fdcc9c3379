export declare const ROOT: string;
export declare const PACKAGES: readonly { readonly folder: string; readonly manifest: unknown }[];
