import { z } from 'zod';
import { isRecord } from '#domain/exact-json';
import { asText } from '#domain/template';
import { done, nodeType } from '#engine/nodes/node-type';

const levels = { DEBUG: 'debug', INFO: 'info', WARNING: 'warn', WARN: 'warn', ERROR: 'error' } as const;

/** A template that finds a number or an object gives it as such; a line says it as text. */
const text = z
  .unknown()
  .optional()
  .transform((given) => (given === undefined || given === null ? undefined : asText(given)));

const settings = z.looseObject({
  level: z.string().nullish(),
  title: text,
  /** Older name of `title`. */
  message_template: text,
  body: z.unknown().optional(),
});

/** Writes a line to the execution's log (spec/workflows §12.25). */
export const log = nodeType({
  type: 'log',
  label: 'Log',
  group: 'control',
  help: 'Writes a line to the execution log.',
  reference: {
    output: '`{metadata}`: the body, level, title, `node_type` and `execution_timestamp`.',
    errors: 'None: an unknown level is INFO.',
  },
  effect: 'none',
  fields: {
    level: {
      type: 'select',
      label: 'Level',
      default: 'INFO',
      options: ['DEBUG', 'INFO', 'WARNING', 'ERROR'].map((value) => ({ name: value, value })),
    },
    title: { type: 'text', label: 'Title' },
    body: { type: 'json', label: 'Body' },
  },
  settings,
  run({ level, title, message_template: template, body }, ctx) {
    const written = (level ?? '').toUpperCase();
    const known = Object.hasOwn(levels, written) ? (written as keyof typeof levels) : 'INFO';
    const text = title ?? template ?? '';
    ctx.log(levels[known], body === undefined ? text : `${text} ${JSON.stringify(body)}`.trimStart());
    return done({
      metadata: {
        ...(isRecord(body) ? body : body !== undefined && { body }),
        level: known === 'WARN' ? 'WARNING' : known,
        title: text,
        node_type: 'log',
        execution_timestamp: ctx.now.toISOString(),
      },
    });
  },
});
