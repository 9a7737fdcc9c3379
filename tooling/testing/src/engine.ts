/** Engine under test, named by the vitest project. */
export const ENGINE = process.env.MOE_BACKEND ?? 'cpu';
