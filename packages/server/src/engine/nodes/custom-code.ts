import { z } from 'zod';
import { isForbiddenName } from '#domain/exact-json';
import { done, nodeType } from '#engine/nodes/node-type';

const parameterList = z.array(
  z.looseObject({ key: z.string().optional(), name: z.string().optional(), value: z.unknown() }),
);

const settings = z.looseObject({
  code: z.string({ error: 'write the code: a function yourFunction(params)' }).min(1),
  language: z
    .string()
    .default('javascript')
    .refine((language) => ['javascript', 'js'].includes(language.toLowerCase()), {
      message: 'only "javascript" runs here; Python is not available yet',
    }),
  /** `{name: value}`, or a list of `{key, value}` as older documents have it. */
  params: z.union([z.record(z.string(), z.unknown()), parameterList]).nullish(),
  parameters: z.union([z.record(z.string(), z.unknown()), parameterList]).nullish(),
});

/** Runs a function of the author in the sandbox; what it returns is the node's body. */
export const customCode = nodeType({
  type: 'custom_code',
  label: 'Custom Code',
  group: 'code',
  help: 'Runs your JavaScript: function yourFunction(params). What it returns is the output.',
  // It may call anything by HTTP; after an unknown outcome it is not run again.
  effect: 'once',
  fields: {
    params: { type: 'map', label: 'Parameters', help: 'Read them in the code as params.<name>.' },
    code: {
      type: 'code',
      label: 'Code',
      required: true,
      default: 'async function yourFunction(params) {\n  return params;\n}\n',
    },
  },
  settings,
  literal: ['code', 'language'],
  async run({ code, params, parameters }, ctx) {
    const values = readParameters(params ?? parameters ?? {});
    const result = await ctx.services.runCode({
      code,
      params: values,
      tenant: ctx.tenant,
      signal: ctx.signal,
    });
    for (const line of result.console) ctx.log(readLevel(line.level), line.text);
    return done(result.output);
  },
});

function readParameters(
  given: Record<string, unknown> | z.infer<typeof parameterList>,
): Record<string, unknown> {
  const pairs = Array.isArray(given)
    ? given.map(({ key, name, value }) => [key ?? name ?? '', value] as const)
    : Object.entries(given);
  return Object.fromEntries(pairs.filter(([name]) => name !== '' && !isForbiddenName(name)));
}

function readLevel(level: string): 'debug' | 'info' | 'warn' | 'error' {
  return level === 'debug' || level === 'warn' || level === 'error' ? level : 'info';
}
