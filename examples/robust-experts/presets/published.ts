// Results of Robust Experts (arXiv 2509.05086) as the released scripts hold them: CIFAR-100, one seed, in per cent. AutoPGD was scored in training mode: see legacy.ts.

/** Accuracy in per cent. */
export interface Published {
  readonly clean: number;
  readonly pgd: number;
  /** Not a robust accuracy: the network was in training mode. */
  readonly apgd: number;
}

/** A row after standard and after adversarial training. */
interface PublishedPair {
  readonly n?: Published;
  readonly at?: Published;
}

const entry = (text: string): Published | undefined => {
  const [clean, pgd, apgd] = text.split('/').map(Number);
  return clean === undefined || pgd === undefined || apgd === undefined ? undefined : { clean, pgd, apgd };
};

/** Reads lines of `NAME clean/pgd/apgd clean/pgd/apgd`, after standard and adversarial training; `-` where nothing is known. */
function read(text: string): ReadonlyMap<string, PublishedPair> {
  return new Map(
    text.trim().split('\n').map((line) => {
      const [name = '', n = '', at = ''] = line.trim().split(' ');
      const [normal, adversarial] = [entry(n), entry(at)];
      return [name, { ...(normal && { n: normal }), ...(adversarial && { at: adversarial }) }] as const;
    }),
  );
}

/** ResNet-18, MoE layers in all of conv5_x, E = 4, by kind, loss, gate and k. Cells that repeat those of another row are left out: they were pasted. */
export const X1 = read(`
dense 71.3/0.06/2.31 52.14/16.87/17.99
block-entropy-conv-gap-k1 70.08/0.01/2.22 51.97/19.06/22.11
block-entropy-conv-gap-k2 66.54/0.02/2.89 50.69/17.79/19.45
block-entropy-conv-gap-k3 66.16/0.01/2.48 50.93/17.41/18.99
block-entropy-conv-gap-k4 64.96/0.0/2.65 50.63/17.23/18.81
block-entropy-gap-fc-k1 70.2/0.0/2.66 51.76/19.75/22.31
block-entropy-gap-fc-k2 67.93/0.01/2.57 53.34/18.4/20.38
block-entropy-gap-fc-k3 67.9/0.05/2.73 51.89/18.1/19.96
block-entropy-gap-fc-k4 68.05/0.0/2.42 51.77/18.47/19.2
block-switch-conv-gap-k1 70.19/0.03/2.51 50.82/18.33/20.99
block-switch-conv-gap-k2 71.94/0.0/2.96 50.94/18.75/20.25
block-switch-conv-gap-k3 71.12/0.0/2.23 50.61/18.42/19.82
block-switch-conv-gap-k4 72.16/0.0/2.73 51.0/17.57/18.31
block-switch-gap-fc-k1 70.86/0.03/2.99 51.36/22.69/21.22
block-switch-gap-fc-k2 72.23/0.01/2.34 51.39/18.03/20.01
block-switch-gap-fc-k3 71.64/0.01/2.34 52.06/18.19/19.92
block-switch-gap-fc-k4 72.31/0.0/2.56 51.72/17.85/18.75
block-column-entropy-conv-gap-k1 70.04/0.0/3.18 49.55/17.39/20.95
block-column-entropy-conv-gap-k2 72.57/0.0/2.93 -
block-column-entropy-conv-gap-k3 71.97/0.01/2.73 -
block-column-entropy-conv-gap-k4 72.74/0.01/2.49 -
block-column-entropy-gap-fc-k1 69.91/0.01/3.43 51.15/18.84/21.22
block-column-entropy-gap-fc-k2 69.32/0.02/2.35 -
block-column-entropy-gap-fc-k3 70.35/0.01/2.59 -
block-column-entropy-gap-fc-k4 70.8/0.07/2.79 -
conv-entropy-conv-gap-k1 68.11/0.0/2.89 50.87/22.74/22.46
conv-entropy-conv-gap-k2 44.33/0.76/4.23 24.96/14.46/16.13
conv-entropy-conv-gap-k3 45.4/1.05/3.55 22.14/13.2/15.32
conv-entropy-conv-gap-k4 38.61/1.3/3.01 25.99/14.77/16.85
conv-entropy-gap-fc-k1 69.84/0.0/3.11 50.96/25.03/24.03
conv-entropy-gap-fc-k2 45.64/2.55/3.23 29.36/16.51/18.28
conv-entropy-gap-fc-k3 43.85/0.04/3.89 27.04/15.17/16.89
conv-entropy-gap-fc-k4 28.26/1.34/4.03 30.88/17.33/19.27
conv-switch-conv-gap-k1 68.93/0.04/3.26 49.15/19.41/20.51
conv-switch-conv-gap-k2 71.54/0.01/3.45 47.89/18.61/19.26
conv-switch-conv-gap-k3 70.72/0.06/2.89 50.21/19.95/19.17
conv-switch-conv-gap-k4 71.45/0.0/3.88 50.6/19.7/18.59
conv-switch-gap-fc-k1 69.89/0.0/3.28 49.08/18.85/20.4
conv-switch-gap-fc-k2 71.32/0.02/3.35 48.79/19.38/20.13
conv-switch-gap-fc-k3 71.35/0.01/2.59 50.25/19.29/19.27
conv-switch-gap-fc-k4 71.8/0.07/3.79 51.38/19.53/17.77
conv-column-entropy-conv-gap-k1 - -
conv-column-entropy-gap-fc-k1 - -
`);

/** ResNet-50, MoE layers in all of conv5_x, E = 4. */
export const X2 = read(`
dense 73.18/0.06/1.87 53.25/17.21/1.36
block-entropy-conv-gap-k1 72.29/0.02/2.71 52.7/20.76/1.2
block-entropy-conv-gap-k2 68.38/0.28/2.47 43.31/18.86/0.97
block-entropy-conv-gap-k3 68.3/0.34/1.83 41.82/18.87/1.06
block-entropy-conv-gap-k4 68.33/0.44/1.74 40.32/19.03/1.15
block-entropy-gap-fc-k1 72.09/0.04/3.47 54.05/20.81/1.05
block-entropy-gap-fc-k2 70.3/0.01/1.31 46.94/19.93/1.01
block-entropy-gap-fc-k3 68.76/0.22/1.57 49.29/18.72/1.0
block-entropy-gap-fc-k4 69.68/0.25/1.37 48.52/18.12/1.0
block-switch-conv-gap-k1 72.25/0.43/1.83 53.75/19.01/1.0
block-switch-conv-gap-k2 72.93/0.11/1.34 51.99/19.02/1.23
block-switch-conv-gap-k3 72.83/0.11/1.93 51.85/18.27/1.43
block-switch-conv-gap-k4 72.44/0.16/1.07 51.04/19.82/1.43
block-switch-gap-fc-k1 73.34/0.02/3.15 50.9/17.21/1.36
block-switch-gap-fc-k2 72.83/0.05/1.63 51.46/19.95/1.34
block-switch-gap-fc-k3 73.04/0.11/1.45 52.99/20.26/1.35
block-switch-gap-fc-k4 72.53/0.13/1.26 52.85/20.26/1.37
conv-entropy-conv-gap-k1 69.51/2.1/2.04 50.04/22.58/1.04
conv-entropy-conv-gap-k2 32.66/0.74/1.01 6.04/4.34/0.93
conv-entropy-conv-gap-k3 56.3/0.03/1.04 7.57/4.11/0.94
conv-entropy-conv-gap-k4 34.32/0.56/1.04 12.76/2.98/1.23
conv-entropy-gap-fc-k1 72.06/0.28/1.21 46.03/23.57/1.0
conv-entropy-gap-fc-k2 29.15/2.92/1.02 4.93/3.41/0.98
conv-entropy-gap-fc-k3 30.79/2.09/1.01 6.32/4.72/1.0
conv-entropy-gap-fc-k4 32.68/0.29/1.04 9.28/6.59/0.92
conv-switch-conv-gap-k1 71.01/0.08/1.52 52.78/18.52/1.0
conv-switch-conv-gap-k2 71.83/0.05/1.71 -
conv-switch-conv-gap-k3 72.72/0.0/3.2 -
conv-switch-conv-gap-k4 72.83/0.0/2.5 -
conv-switch-gap-fc-k1 71.57/0.04/1.29 51.63/17.9/1.0
conv-switch-gap-fc-k2 72.48/0.03/2.76 51.97/18.64/1.0
conv-switch-gap-fc-k3 71.7/0.0/2.83 52.8/18.76/1.01
conv-switch-gap-fc-k4 72.57/0.02/2.24 53.45/19.52/1.45
`);

/** BlockMoE of ResNet-18 by stage and block, E = 4, k = 1. */
export const X3 = read(`
conv4-1st-entropy-conv-gap 68.59/0.0/2.26 48.69/15.62/17.56
conv4-1st-entropy-gap-fc 68.7/0.01/2.3 49.9/15.79/17.44
conv4-1st-switch-conv-gap 70.88/0.02/2.85 50.87/16.45/18.21
conv4-1st-switch-gap-fc 70.85/0.01/2.75 50.63/16.33/18.24
conv4-2nd-entropy-conv-gap 69.37/0.0/2.01 50.86/16.28/17.73
conv4-2nd-entropy-gap-fc 69.63/0.0/2.53 51.11/16.43/17.06
conv4-2nd-switch-conv-gap 71.44/0.0/2.56 51.71/16.26/18.52
conv4-2nd-switch-gap-fc 71.4/0.01/2.53 51.32/15.73/19.66
conv4-both-entropy-conv-gap 66.84/0.02/2.34 49.77/16.11/17.74
conv4-both-entropy-gap-fc 67.61/0.0/2.71 50.34/16.29/17.72
conv4-both-switch-conv-gap 70.3/0.0/2.35 51.33/15.97/20.27
conv4-both-switch-gap-fc 70.63/0.0/2.71 51.31/15.31/20.93
conv5-1st-entropy-conv-gap 69.11/0.0/2.63 52.14/17.45/18.22
conv5-1st-entropy-gap-fc 70.07/0.01/2.55 52.0/17.52/19.85
conv5-1st-switch-conv-gap 71.39/0.01/2.74 52.89/16.35/20.01
conv5-1st-switch-gap-fc 70.98/0.01/2.59 52.57/16.43/22.0
conv5-2nd-entropy-conv-gap 69.39/0.0/2.49 53.04/18.92/20.61
conv5-2nd-entropy-gap-fc 70.27/0.0/2.42 54.91/19.96/20.76
conv5-2nd-switch-conv-gap 71.6/0.0/3.21 54.04/19.3/19.73
conv5-2nd-switch-gap-fc 71.05/0.0/2.7 52.15/18.58/20.29
`);

/** ConvMoE of ResNet-18 in one convolution of conv5_x, E = 4, k = 1. */
export const X4 = read(`
1st-entropy-conv-gap 69.74/0.01/2.22 52.23/17.12/18.57
1st-entropy-gap-fc 70.62/0.0/2.03 51.39/17.03/18.25
1st-switch-conv-gap 71.4/0.0/2.09 51.68/16.74/19.19
1st-switch-gap-fc 71.19/0.0/2.18 51.32/16.67/18.64
2nd-entropy-conv-gap 69.87/0.0/2.16 52.31/16.89/18.16
2nd-entropy-gap-fc 70.41/0.0/2.14 52.65/16.52/18.39
2nd-switch-conv-gap 71.6/0.02/2.12 51.18/16.86/19.05
2nd-switch-gap-fc 71.83/0.0/2.19 51.09/16.97/18.87
3rd-entropy-conv-gap 70.22/0.0/2.49 52.03/17.31/18.83
3rd-entropy-gap-fc 69.78/0.0/2.22 50.8/17.15/18.52
3rd-switch-conv-gap 70.78/0.0/2.36 50.05/17.05/19.53
3rd-switch-gap-fc 71.58/0.01/2.32 50.2/16.35/20.65
4th-entropy-conv-gap 70.21/0.0/2.54 53.16/17.63/18.8
4th-entropy-gap-fc 70.55/0.0/2.38 52.35/17.45/18.56
4th-switch-conv-gap 71.58/0.0/2.36 51.36/17.33/19.36
4th-switch-gap-fc 70.72/0.0/2.52 50.87/17.4/18.9
`);
