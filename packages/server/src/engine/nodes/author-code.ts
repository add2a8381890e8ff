import { z } from 'zod';
import { isForbiddenName } from '#domain/exact-json';
import type { NodeContext } from '#engine/nodes/node-type';

/** What nodes share that run code of an author: language, parameters, console. */

const parameterList = z.array(
  z.looseObject({ key: z.string().optional(), name: z.string().optional(), value: z.unknown() }),
);

/** `{name: value}`, or a list of `{key, value}` as older documents have it. */
export const givenParameters = z.union([z.record(z.string(), z.unknown()), parameterList]).nullish();

const languages: Readonly<Record<string, 'javascript' | 'python'>> = {
  javascript: 'javascript',
  js: 'javascript',
  python: 'python',
  py: 'python',
};

/** Any usual spelling of a language; absent means JavaScript. */
export const codeLanguage = z
  .string()
  .nullish()
  .transform((given, context) => {
    const name = (given ?? 'javascript').trim().toLowerCase();
    const language = Object.hasOwn(languages, name) ? languages[name] : undefined;
    if (language !== undefined) return language;
    context.addIssue({ code: 'custom', message: 'choose "javascript" or "python"' });
    return z.NEVER;
  });

/** Choices of the builder. */
export const languageOptions = [
  { name: 'JavaScript', value: 'javascript' },
  { name: 'Python', value: 'python' },
] as const;

/** Parameters as one object; names that would reach a prototype are left out. */
export function readParameters(given: z.infer<typeof givenParameters>): Record<string, unknown> {
  const pairs = Array.isArray(given)
    ? given.map(({ key, name, value }) => [key ?? name ?? '', value] as const)
    : Object.entries(given ?? {});
  return Object.fromEntries(pairs.filter(([name]) => name !== '' && !isForbiddenName(name)));
}

/**
 * Runs code in the sandbox for a node; what it prints becomes the node's console.
 *
 * @throws AppError `code_failed` (with the author's line), `code_timeout`, `code_out_of_memory`, `sandbox_busy`
 */
export async function runAuthorCode(
  run: { code: string; language: 'javascript' | 'python'; params: unknown },
  ctx: Pick<NodeContext, 'services' | 'tenant' | 'signal' | 'log' | 'variables'>,
): Promise<unknown> {
  const result = await ctx.services.runCode({
    ...run,
    variables: ctx.variables.read(),
    tenant: ctx.tenant,
    signal: ctx.signal,
  });
  if (result.variables !== undefined) ctx.variables.set(result.variables);
  for (const line of result.console) ctx.log(readLevel(line.level), line.text);
  return result.output;
}

function readLevel(level: string): 'debug' | 'info' | 'warn' | 'error' {
  return level === 'debug' || level === 'warn' || level === 'error' ? level : 'info';
}
