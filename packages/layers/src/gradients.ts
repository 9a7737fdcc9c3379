// In Node, tfjs-core alone registers no gradients; tfjs-layers does, when it is loaded.
import '@tensorflow/tfjs-layers';
