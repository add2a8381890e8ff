import { z } from 'zod';
import { evaluateRule, readRule } from '#domain/rules';
import { done, nodeType } from '#engine/nodes/node-type';

/** `rule`, `match` or `logic` say how the conditions combine; all of them unless told otherwise. */
const settings = z.looseObject({
  conditions: z.array(z.unknown()).default([]),
  rule: z.string().nullish(),
  match: z.string().nullish(),
});

/** Sends the flow one way or the other. */
export const rule = nodeType({
  type: 'rule',
  label: 'Rule',
  group: 'logic',
  help: 'Compares values and goes on by "true" or by "false".',
  reference: {
    output: '`{condition_result, evaluated_conditions, execution_path}`.',
    errors: 'An operator that does not exist.',
  },
  effect: 'none',
  fields: {
    rule: {
      type: 'select',
      label: 'Match',
      default: 'all',
      options: [
        { name: 'All conditions', value: 'all' },
        { name: 'Any condition', value: 'any' },
      ],
    },
    conditions: { type: 'conditions', label: 'Conditions', required: true },
  },
  settings,
  ports: () => ['true', 'false'],
  run(given) {
    const { result, evaluated } = evaluateRule(readRule(given));
    const path = String(result);
    return done({ condition_result: result, evaluated_conditions: evaluated, execution_path: path }, path);
  },
});
