import { BackendError } from '@moe/core';

/** What this package uses of the browser's `navigator.gpu`; Dawn gives the same in Node. */
export interface Gpu {
  requestAdapter(options: { powerPreference: 'high-performance' }): Promise<Adapter | null>;
}

export interface Adapter {
  readonly features: ReadonlySet<string>;
  readonly limits: Readonly<Record<string, number>>;
  readonly info: { readonly vendor: string; readonly architecture: string; readonly device: string; readonly description: string; readonly isFallbackAdapter?: boolean };
  /** Where older browsers say it. */
  readonly isFallbackAdapter?: boolean;
  requestDevice(options: { requiredFeatures: readonly string[]; requiredLimits: Readonly<Record<string, number | undefined>> }): Promise<unknown>;
}

/** The GPU that the engine `'webgpu'` runs on. */
export interface GpuAdapter {
  /** Vendor, architecture, device and driver, as far as the browser or the driver tells. */
  readonly name: string;
  /** Whether it is a program on the processor that stands in for a GPU: right, but slow. */
  readonly software: boolean;
}

/** The browser's access to GPUs, or Dawn's in Node. */
export async function findGpu(): Promise<Gpu> {
  const inBrowser = (globalThis.navigator as { gpu?: Gpu } | undefined)?.gpu;
  return inBrowser ?? (await (await import('@moe/backend/node')).createGpu());
}

/** @throws {@link BackendError} if there is no GPU that WebGPU can use. */
export async function requestAdapter(gpu: Gpu): Promise<Adapter> {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) {
    throw new BackendError(
      "useBackend: the engine 'webgpu' finds no GPU. On Linux install the driver of the GPU and the Vulkan loader (`apt install libvulkan1`); in Chrome, chrome://gpu says why. Or use the engine 'wasm'.",
    );
  }
  return adapter;
}

export function describeAdapter({ info, isFallbackAdapter = false }: Adapter): GpuAdapter {
  const parts = [info.vendor, info.architecture, info.device, info.description].filter((part) => part !== '');
  return { name: parts.length === 0 ? 'unknown' : parts.join(' '), software: info.isFallbackAdapter ?? isFallbackAdapter };
}
