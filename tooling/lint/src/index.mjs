// Rules of this project for oxlint: every random number comes from a seeded Rng.

const TFJS = /^@tensorflow\/tfjs/;

/** Position of the seed among the arguments of a tfjs random op, counted from 0. */
const SEED_ARGUMENT = {
  randomNormal: 4,
  randomStandardNormal: 2,
  randomUniform: 4,
  randomUniformInt: 3,
  randomGamma: 4,
  truncatedNormal: 4,
  dropout: 3,
  multinomial: 2,
};

const isMember = (node, object, property) =>
  node.type === 'MemberExpression' && !node.computed && node.property.name === property && (object === undefined || node.object.name === object);

/** Forbids generators without a seed: `Math.random`, `tf.util.shuffle` and its kin. */
const noUnseededGenerator = {
  create(context) {
    const names = new Set(['shuffle', 'shuffleCombo', 'randUniform']);
    return {
      MemberExpression(node) {
        if (isMember(node, 'Math', 'random')) context.report({ node, message: 'Math.random has no seed: take an Rng of @moe/core.' });
        if (isMember(node, 'crypto', 'getRandomValues')) context.report({ node, message: 'crypto.getRandomValues has no seed: take an Rng of @moe/core.' });
        if (names.has(node.property?.name) && !node.computed && (node.object.name === 'util' || isMember(node.object, undefined, 'util'))) {
          context.report({ node, message: `tf.util.${node.property.name} uses Math.random: take an Rng of @moe/core.` });
        }
      },
    };
  },
};

/** Forbids tfjs random ops that are called without their seed argument. */
const noUnseededRandomOp = {
  create(context) {
    const imported = new Map();
    return {
      ImportDeclaration(node) {
        if (!TFJS.test(node.source.value)) return;
        for (const specifier of node.specifiers) {
          if (specifier.type === 'ImportSpecifier' && specifier.imported.name in SEED_ARGUMENT) imported.set(specifier.local.name, specifier.imported.name);
        }
      },
      CallExpression(node) {
        const { callee } = node;
        const op = callee.type === 'Identifier' ? imported.get(callee.name) : isMember(callee, 'tf', callee.property?.name) ? callee.property.name : undefined;
        const position = op === undefined ? undefined : SEED_ARGUMENT[op];
        if (position !== undefined && node.arguments.length <= position) {
          context.report({ node, message: `${op} without a seed is not reproducible: pass rng.nextSeed() as argument ${position + 1}.` });
        }
      },
    };
  },
};

export default {
  meta: { name: 'moe' },
  rules: { 'no-unseeded-generator': noUnseededGenerator, 'no-unseeded-random-op': noUnseededRandomOp },
};
