export type { Copies, Tensors } from './cluster/buckets.js';
export type { ConnectClusterOptions } from './cluster/configuration.js';
export { type Cluster, connectCluster } from './cluster/connect-cluster.js';
export { type EngineState, describeTensorflow } from './doctor.js';
export { registerTensorflow } from './engine.js';
export { createGpu } from './gpu.js';
export { type InstallProgress, type InstallTensorflowOptions, installTensorflow, removeTensorflow } from './install.js';
export { type TensorflowInstallation, findTensorflow, tensorflowFolder } from './installation.js';
export { type MapInWorkersOptions, mapInWorkers } from './map-in-workers.js';
