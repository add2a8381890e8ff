import { z } from 'zod';
import { isRecord, parseExactJson } from '#domain/exact-json';
import { done, nodeType } from '#engine/nodes/node-type';

const settings = z
  .looseObject({
    input: z.unknown().optional(),
    query: z.union([z.string(), z.record(z.string(), z.unknown())]).optional(),
    /** Older name of `query`. */
    expression: z.string().optional(),
  })
  .refine(({ query, expression }) => (query ?? expression ?? '') !== '', {
    path: ['query'],
    message: 'write a JSONata expression',
  });

const timeoutMs = 10_000;

/** Reshapes JSON with a JSONata expression. The expression runs in the sandbox, never in this process. */
export const transform = nodeType({
  type: 'transform',
  label: 'Transform',
  group: 'data',
  help: 'Reshapes JSON with a JSONata expression.',
  reference: {
    output:
      'The result of the expression, bare. A query of the form `{"output": "<expression>"}` gives `{output}`.',
    errors: 'An expression that does not parse or fails, with its message; more than 10 s or 256 MB.',
  },
  effect: 'none',
  fields: {
    input: { type: 'json', label: 'Input', required: true },
    query: { type: 'code', label: 'JSONata expression', required: true },
  },
  settings,
  literal: ['query', 'expression'],
  async run({ query, expression, input }, ctx) {
    const { source, isWrapped } = readQuery(query ?? expression ?? '');
    const value = await ctx.services.runJsonata({
      expression: source,
      input: readInput(input),
      tenant: ctx.tenant,
      timeoutMs,
      signal: ctx.signal,
    });
    return done(isWrapped ? { output: value } : value);
  },
});

/** Older documents keep `{"output": "<expression>"}` and read the result at `output`. */
function readQuery(query: string | Record<string, unknown>): { source: string; isWrapped: boolean } {
  const written = typeof query === 'string' ? asJson(query) : query;
  if (isRecord(written) && typeof written['output'] === 'string' && Object.keys(written).length === 1) {
    return { source: written['output'], isWrapped: true };
  }
  return { source: typeof query === 'string' ? query : JSON.stringify(query), isWrapped: false };
}

/** A field that holds JSON text is meant as that JSON; any other text is a text. */
function readInput(input: unknown): unknown {
  return typeof input === 'string' ? (asJson(input) ?? input) : input;
}

function asJson(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return parseExactJson(text);
  } catch {
    return undefined; // JSONata objects begin like JSON and are not
  }
}
