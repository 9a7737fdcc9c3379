import { parseNumber } from './config.js';
import { GATES, METHODS, SCHEDULES, TERMS, VARIANTS } from './schema.js';

const text = (value: string): string => value;
const list = (value: string): string[] => value.split(',').map((part) => part.trim());
const number = (value: string): number => parseNumber(value);
const boolean = (value: string): boolean | string => (['true', 'false'].includes(value) ? value === 'true' : value);
const orNull = (parse: (value: string) => unknown) => (value: string): unknown => (value === 'none' ? null : parse(value));

const orNone = (parse: (value: string) => unknown[]) => (value: string): unknown[] => (value === 'none' ? [] : parse(value));

/** A command line option that sets one field of the configuration. */
export interface Flag {
  readonly flag: string;
  readonly value: string;
  /** Where it lands in the config. */
  readonly path: readonly string[];
  readonly parse: (text: string) => unknown;
  readonly help: string;
}

/** Every field by its option. */
export const FLAGS: readonly Flag[] = [
  { flag: 'data', value: 'DIR', path: ['data', 'folder'], parse: text, help: 'folder of the data: train/CLASS/*.jpg and test/CLASS/*.jpg, or CIFAR in its binary version' },
  { flag: 'data-format', value: 'NAME', path: ['data', 'format'], parse: text, help: 'images, cifar10 or cifar100 (binary versions), or embedded' },
  { flag: 'train-images', value: 'N', path: ['data', 'trainImages'], parse: number, help: 'training images, balanced over the classes' },
  { flag: 'test-images', value: 'N', path: ['data', 'testImages'], parse: number, help: 'images attacked on every path' },
  { flag: 'augment-padding', value: 'N', path: ['data', 'augmentPadding'], parse: orNull(number), help: 'random crop with this padding, and flip; none for neither' },
  { flag: 'color-jitter', value: 'X', path: ['data', 'colorJitter'], parse: number, help: 'random change of brightness, contrast, saturation and hue' },
  { flag: 'models', value: 'A,B,…', path: ['models'], parse: list, help: 'dense, or block, conv, stage with -switch, -entropy, -column-entropy, -variance, -importance, -kl, -none' },
  { flag: 'depth', value: 'N', path: ['network', 'depth'], parse: number, help: 'layers of the ResNet: 10, 18, 34 or 50' },
  { flag: 'width', value: 'N', path: ['network', 'width'], parse: number, help: 'channels of its first stage (64 in the paper)' },
  { flag: 'widen', value: 'N', path: ['network', 'widen'], parse: number, help: '2 with depth 50 is Wide-ResNet-50-2' },
  { flag: 'stem', value: 'NAME', path: ['network', 'stem'], parse: text, help: 'cifar (3x3, no pooling) or imagenet (7x7, pooling)' },
  { flag: 'normalize', value: 'NAME', path: ['network', 'normalize'], parse: text, help: 'none, cifar10, cifar100, imagenet or mnist' },
  { flag: 'at', value: 'PLACE', path: ['moe', 'at'], parse: text, help: 'where MoE layers go, e.g. layer4 or layer3.1,layer4.1' },
  { flag: 'experts', value: 'E', path: ['moe', 'numExperts'], parse: number, help: 'experts per MoE layer' },
  { flag: 'top-k', value: 'K', path: ['moe', 'topK'], parse: number, help: 'experts that run per image' },
  { flag: 'gate', value: 'NAME', path: ['moe', 'gate'], parse: text, help: GATES.join(', ') },
  { flag: 'router', value: 'NAME', path: ['moe', 'router'], parse: text, help: 'top-k, or noisy-top-k with learned noise (predecessor)' },
  { flag: 'gate-from', value: 'NAME', path: ['moe', 'gateFrom'], parse: text, help: 'input of the experts, image, or features of the image' },
  { flag: 'constraint', value: 'NAME', path: ['moe', 'constraint'], parse: text, help: 'none, capacity, relative-importance or mean-importance' },
  { flag: 'threshold', value: 'X', path: ['moe', 'threshold'], parse: orNull(number), help: 'of the constraint; none for its default' },
  { flag: 'downsample', value: 'BOOL', path: ['moe', 'downsample'], parse: boolean, help: 'whether the 1x1 convolution of a skip becomes experts too' },
  { flag: 'residual', value: 'BOOL', path: ['moe', 'residual'], parse: boolean, help: 'whether a skip goes around a stage of experts' },
  { flag: 'balance-weight', value: 'X', path: ['moe', 'balanceWeight'], parse: number, help: 'weight of the balance loss' },
  { flag: 'noise-std', value: 'X', path: ['moe', 'noiseStd'], parse: number, help: 'router noise while training, in units of the spread of the gates; none with entropy, as in the paper' },
  { flag: 'method', value: 'NAME', path: ['training', 'method'], parse: text, help: `${METHODS.join(', ')}; free takes a quarter of the epochs, the last three are for MoE models` },
  { flag: 'variant', value: 'NAME', path: ['training', 'variant'], parse: text, help: `of the method: ${VARIANTS.join(', ')}; released has the accidents of its code` },
  { flag: 'terms', value: 'A,B,…', path: ['training', 'terms'], parse: orNone(list), help: `added to the loss: ${TERMS.join(', ')}; none for none` },
  { flag: 'awp', value: 'X', path: ['training', 'awp'], parse: orNull(number), help: 'adversarial displacement of weights, as a share of their norm; none for none' },
  { flag: 'ema', value: 'X', path: ['training', 'ema'], parse: orNull(number), help: 'decay of a moving average of the weights, which is then the model; none for none' },
  { flag: 'label-smoothing', value: 'X', path: ['training', 'labelSmoothing'], parse: number, help: 'share of each label that goes to all classes' },
  { flag: 'epochs', value: 'N', path: ['training', 'epochs'], parse: number, help: 'training epochs' },
  { flag: 'batch-size', value: 'N', path: ['training', 'batchSize'], parse: number, help: 'images per training step' },
  { flag: 'optimizer', value: 'NAME', path: ['training', 'optimizer'], parse: text, help: 'sgd with Nesterov momentum 0.9, or adam' },
  { flag: 'schedule', value: 'NAME', path: ['training', 'schedule'], parse: text, help: SCHEDULES.join(', ') },
  { flag: 'legacy-schedule', value: 'BOOL', path: ['training', 'legacySchedule'], parse: boolean, help: 'the curve of the released code, with its accidents' },
  { flag: 'warmup-epochs', value: 'N', path: ['training', 'warmupEpochs'], parse: number, help: 'of a cosine schedule' },
  { flag: 'learning-rate', value: 'X', path: ['training', 'learningRate'], parse: number, help: 'peak learning rate' },
  { flag: 'weight-decay', value: 'X', path: ['training', 'weightDecay'], parse: number, help: 'weight decay' },
  { flag: 'train-eps', value: 'EPS', path: ['training', 'eps'], parse: number, help: 'L-inf radius of the training attack, e.g. 8/255; 0 trains on clean images' },
  { flag: 'train-steps', value: 'N', path: ['training', 'steps'], parse: number, help: 'PGD steps of the training attack' },
  { flag: 'train-step-size', value: 'EPS', path: ['training', 'stepSize'], parse: orNull(number), help: 'step of the training attack; none for 2.5 eps over the steps' },
  { flag: 'train-goal', value: 'NAME', path: ['training', 'goal'], parse: text, help: 'maxLoss, or lastStep as released' },
  { flag: 'train-batch-norm', value: 'MODE', path: ['training', 'batchNorm'], parse: text, help: 'statistics during the training attack: running, batch or batch-updating' },
  { flag: 'telemetry', value: 'N', path: ['training', 'telemetry'], parse: orNull(number), help: 'training images on which routing is attacked after every epoch; none for none' },
  { flag: 'eps', value: 'EPS', path: ['evaluation', 'eps'], parse: number, help: 'L-inf radius of the evaluation attacks, e.g. 8/255' },
  { flag: 'pgd-steps', value: 'N', path: ['evaluation', 'pgdSteps'], parse: number, help: 'steps of PGD' },
  { flag: 'apgd-steps', value: 'N', path: ['evaluation', 'apgdSteps'], parse: number, help: 'steps of AutoPGD' },
  { flag: 'eval-batch-size', value: 'N', path: ['evaluation', 'batchSize'], parse: number, help: 'images attacked together' },
  { flag: 'fixed-layer', value: 'NAME', path: ['evaluation', 'fixedLayer'], parse: orNull(text), help: 'MoE layer whose experts are fixed in turn; none for the last' },
  { flag: 'both-starts', value: 'BOOL', path: ['evaluation', 'bothStarts'], parse: boolean, help: 'PGD without a random start as well' },
  { flag: 'audit', value: 'N', path: ['evaluation', 'audit', 'images'], parse: number, help: 'images for AutoAttack on the deployed model and on its best expert' },
  { flag: 'audit-routing', value: 'N', path: ['evaluation', 'audit', 'routingImages'], parse: number, help: 'images for attacks on routing' },
  { flag: 'auto-attack', value: 'NAME', path: ['evaluation', 'audit', 'autoAttack'], parse: text, help: 'quick or standard' },
  { flag: 'legacy', value: 'N', path: ['evaluation', 'legacy', 'images'], parse: number, help: 'images for AutoPGD scored in training mode, as the paper did' },
  { flag: 'legacy-batch-sizes', value: 'A,B,…', path: ['evaluation', 'legacy', 'batchSizes'], parse: (value) => list(value).map(number), help: 'batch sizes of these scores (256 and 1 in the paper)' },
  { flag: 'probe', value: 'N', path: ['evaluation', 'probe'], parse: orNull(number), help: 'images for routing, confusion, other k and maps of gates; none for none' },
  { flag: 'seed', value: 'N', path: ['seed'], parse: number, help: 'seed of everything random' },
  { flag: 'backend', value: 'NAME', path: ['backend'], parse: text, help: 'engine: auto, tensorflow, wasm or cpu' },
  { flag: 'workers', value: 'N', path: ['workers'], parse: number, help: 'processes that work at the same time' },
];

