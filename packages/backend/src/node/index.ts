export { type EngineState, describeTensorflow } from './doctor.js';
export { registerTensorflow } from './engine.js';
export { type InstallProgress, type InstallTensorflowOptions, installTensorflow, removeTensorflow } from './install.js';
export { type TensorflowInstallation, findTensorflow, tensorflowFolder } from './installation.js';
