import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import '@tensorflow/tfjs-layers';
import { useBackend } from './src/index.js';
import { resnet, moeModel, modelWeights } from '../layers/src/index.js';
if (process.env.STOCK) { await tf.setBackend('wasm'); await tf.ready(); } else await useBackend('wasm');
const B=+(process.env.B??64), W=+(process.env.W??8), D=+(process.env.D??18);
const model = resnet({ depth: D, width: W, stem: 'cifar', classes: 10, inputShape: [28,28,1], seed: 1 } as never);
const m = moeModel(model); 
const x=tf.randomUniform([B,28,28,1],0,1,'float32',1) as tf.Tensor4D; const y=tf.oneHot(tf.tensor1d(Array.from({length:B},(_,i)=>i%10),'int32'),10);
const loss=(t:any,training:boolean)=>tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(m.forward(t,{training}).logits),y),1))) as tf.Scalar;
const gx=tf.grad((t:any)=>loss(t,false));
const vars = modelWeights(model).filter(w=>w.trainable).map(w=>w.variable);
for (const [name,f] of [['forward eval',()=>tf.tidy(()=>{loss(x,false)})],['input gradient eval',()=>gx(x).dispose()],['train fwd+bwd',()=>tf.tidy(()=>{ tf.variableGrads(()=>loss(x,true),vars); })]] as [string,()=>void][]) {
  try { f();f(); let best=1e9; for(let i=0;i<12;i++){const s=process.cpuUsage();f();const u=process.cpuUsage(s);best=Math.min(best,(u.user+u.system)/1e3);} console.log(name, best.toFixed(1)); } catch (e) { console.log(name, 'throws', (e as Error).message.slice(0,90)); }
}
