// The strongest attacks, on few images: AutoAttack on the deployed model and its best expert, and attacks that see routing.
import { countRight, readJson, writeJson } from '@moe/experiments';
import { apgd, autoAttack, evaluate, evaluateRouting, relaxedGates, routingAttacks } from '@moe/attacks';
import { fileState } from '@moe/attacks/node';
import type { Attack } from '@moe/core';
import { attackedData } from './data.js';
import { finishedModel } from './finished-model.js';
import { type RoutePath, files, isDense, pathLabel, pathsOf } from './jobs.js';
import type { AuditRecord, AuditedPath, PathRecord } from './results.js';
import type { ModelName } from './schema.js';
import { isValid, robustFlags } from './summary.js';
import type { JobContext } from './train-model.js';

/** The expert whose own path withstood most images; of equal ones the first. */
async function bestExpert(name: ModelName, { config, folder }: JobContext): Promise<number | undefined> {
  const records = await Promise.all(pathsOf(config, name).map((path) => readJson<PathRecord>(files.evaluation(folder, name, path))));
  const experts = records.flatMap((record) => (record !== undefined && record.path !== 'gated' && isValid(record) ? [{ expert: record.path, robust: countRight(robustFlags(record)) }] : []));
  return experts.toSorted((a, b) => b.robust - a.robust || a.expert - b.expert)[0]?.expert;
}

/** Audits a model, continuing from its state files if there are some. */
export async function auditModel(name: ModelName, context: JobContext): Promise<void> {
  const { config, folder, signal, onProgress } = context;
  const { evaluation: { audit, eps, apgdSteps, batchSize }, seed } = config;
  if (audit === null) return;
  const data = await attackedData(config);
  const model = await finishedModel(name, context, data);
  const best = isDense(name) ? undefined : await bestExpert(name, context);
  const ensemble = autoAttack({ eps, version: audit.autoAttack });
  const plan: readonly { readonly path: RoutePath; readonly attack: Attack; readonly images: number }[] = [
    { path: 'gated', attack: ensemble, images: audit.images },
    ...(best === undefined ? [] : [{ path: best, attack: ensemble, images: audit.images }]),
    ...(isDense(name) ? [] : [{ path: 'gated' as const, attack: routingAttacks({ eps }), images: audit.routingImages }]),
  ];

  const attacks: AuditedPath[] = [];
  for (const [i, { path, attack, images }] of plan.entries()) {
    const limit = Math.min(images, data.length);
    const { flags, trust, findings } = await evaluate({
      model: model.logits(path),
      modelId: `${name}/${path}`,
      data,
      limit,
      batchSize,
      attacks: [attack],
      seed,
      signal,
      state: fileState(files.extraState(folder, name, `audit-${i}`)),
      onEvent: ({ done, total }) => onProgress((i + done / total) / (plan.length + 1), `audit ${name}, ${pathLabel(path)}: ${attack.name}, ${done} of ${total} images`),
    });
    attacks.push({ path, attack: attack.name, images: limit, robust: flags.robust[attack.name]!, trust, findings: findings.map(({ message, advice }) => `${message} ${advice}`) });
  }

  const expertAttack = apgd({ eps, steps: apgdSteps });
  const adaptive = relaxedGates({ eps, steps: apgdSteps, temperatures: [0.3] });
  const shared = { data, seed, limit: Math.min(audit.routingImages, data.length), batchSize, signal };
  const layers = isDense(name) ? [] : (await evaluateRouting({ ...shared, model: model.logits('gated'), eps, standard: expertAttack, adaptive, expertAttack })).layers;
  await writeJson(files.extra(folder, name, 'audit'), { model: name, attacks, layers } satisfies AuditRecord);
  model.network.dispose();
}
