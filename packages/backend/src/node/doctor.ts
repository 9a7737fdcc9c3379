import { type TensorflowInstallation, findTensorflow } from './installation.js';
import { TENSORFLOW_VERSION, WHEEL } from './platform.js';

/** What the engine `'tensorflow'` finds on this machine. */
export interface EngineState {
  /** Whether everything is there. */
  readonly ready: boolean;
  /** The pinned version, which is fetched where no other source is given. `describeBackend().tensorflow` is that of the one that runs. */
  readonly version: string;
  /** `undefined` if it is not installed. */
  readonly installation: TensorflowInstallation | undefined;
  /** One line for everything that is missing: what, and the command that helps. */
  readonly remedies: readonly string[];
}

/** npm packages that the engine loads at run time, and a small module of each. */
const PACKAGES: readonly { readonly name: string; readonly load: () => Promise<unknown> }[] = [
  { name: 'koffi', load: () => import('koffi') },
  { name: '@tensorflow/tfjs-node-gpu', load: () => import('@tensorflow/tfjs-node-gpu/dist/tfjs_binding.js') },
];

async function missingPackages(): Promise<string[]> {
  const present = await Promise.all(PACKAGES.map(({ load }) => load().then(() => true, () => false)));
  return PACKAGES.flatMap(({ name }, i) => (present[i] ? [] : [name]));
}

/** Says what is there for the engine `'tensorflow'` and the exact remedy for what is missing. TensorFlow itself is not loaded. */
export async function describeTensorflow(): Promise<EngineState> {
  const installation = findTensorflow();
  const missing = await missingPackages();
  const remedies = [
    ...(installation !== undefined
      ? []
      : WHEEL === undefined
        ? [`TensorFlow is not installed, and has no wheel for ${process.platform}-${process.arch}. Fetch an archive of libtensorflow and run \`npx moe-backend install tensorflow --from ARCHIVE\`, or unpack it and give the folder.`]
        : ['TensorFlow is not installed. Run `npx moe-backend install tensorflow`.']),
    ...(missing.length === 0 ? [] : [`${missing.join(' and ')} cannot be found. Run \`npm install ${missing.join(' ')} --ignore-scripts\`.`]),
  ];
  return { ready: remedies.length === 0, version: TENSORFLOW_VERSION, installation, remedies };
}
