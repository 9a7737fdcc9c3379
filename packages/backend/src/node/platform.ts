/** Version of TensorFlow that the engine is pinned to. */
export const TENSORFLOW_VERSION = '2.21.0';

/** A wheel of TensorFlow on the Python package index, and what the engine takes out of it. */
export interface Wheel {
  readonly package: 'tensorflow' | 'tensorflow-cpu';
  /** Platform tag, so that any Python 3 can fetch it. */
  readonly tag: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** Wheels by Node's platform and architecture. Only Linux on x64 was run. */
const WHEELS: Readonly<Record<string, Wheel>> = {
  'linux-x64': {
    package: 'tensorflow-cpu',
    tag: 'manylinux_2_27_x86_64',
    sha256: 'dcc8afd32930e42d5296b6ee19078b773706830af4ea97fbe503b9f5e0f820cb',
    bytes: 274_000_871,
  },
  'linux-arm64': {
    package: 'tensorflow',
    tag: 'manylinux_2_27_aarch64',
    sha256: 'b07d15737406533898e36c7ef7944b1be18e9028dc521b9229952c537bbc5552',
    bytes: 281_946_471,
  },
  'darwin-arm64': {
    package: 'tensorflow',
    tag: 'macosx_12_0_arm64',
    sha256: '56ecd7d47429acbe1df2694d50b75bf9fc3995ac92cb367cd9af6c4780ead712',
    bytes: 223_488_205,
  },
};

/** The wheel for this machine, or `undefined` where TensorFlow publishes none with the C interface in shared objects of its own. */
export const WHEEL: Wheel | undefined = WHEELS[`${process.platform}-${process.arch}`];

/** Names of the shared objects, in the order of loading: those of a wheel, then those of the libtensorflow archives. */
export const LIBRARY_NAMES: readonly (readonly string[])[] =
  process.platform === 'darwin'
    ? [
        ['libtensorflow_framework.2.dylib', 'libtensorflow_cc.2.dylib'],
        ['libtensorflow_framework.2.dylib', 'libtensorflow.2.dylib'],
      ]
    : process.platform === 'win32'
      ? [['tensorflow.dll']]
      : [
          ['libtensorflow_framework.so.2', 'libtensorflow_cc.so.2'],
          ['libtensorflow_framework.so.2', 'libtensorflow.so.2'],
        ];
