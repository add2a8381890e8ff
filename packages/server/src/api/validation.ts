import type { FastifySchemaCompiler } from 'fastify';
import type { $ZodIssue, $ZodType } from 'zod/v4/core';
import { safeParse } from 'zod/v4/core';
import { AppError, type FieldProblem } from '#domain/errors';

/** Checks a part of the request against its zod schema; a failure names every field at fault. */
export const compileValidator: FastifySchemaCompiler<$ZodType> =
  ({ schema }) =>
  (data: unknown) => {
    const result = safeParse(schema, data);
    return result.success
      ? { value: result.data }
      : {
          error: new AppError('invalid_request', {
            problems: result.error.issues.flatMap((issue) => problemsOf(issue)),
          }),
        };
  };

/** A zod issue in our words: what is wrong with which field. */
export function problemsOf(issue: $ZodIssue, at: readonly PropertyKey[] = []): FieldProblem[] {
  const place = [...at, ...issue.path];
  if (issue.code === 'invalid_union') return unionProblems(issue.errors, place);
  const path = place.map(String).join('.');
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return [{ path, message: 'is required' }];
  }
  return [{ path, message: issue.message.replace(/^Invalid input: /, '') }];
}

/**
 * Of the forms that a value may have, the one that fits best tells what is wrong: the one whose problems lie
 * deepest. When none fits at all, each is named.
 */
function unionProblems(
  forms: readonly (readonly $ZodIssue[])[],
  place: readonly PropertyKey[],
): FieldProblem[] {
  const depthOf = (form: readonly $ZodIssue[]): number => Math.min(...form.map((issue) => issue.path.length));
  const deepest = Math.max(0, ...forms.map(depthOf));
  const best = forms.find((form) => depthOf(form) === deepest);
  if (best !== undefined && deepest > 0) return best.flatMap((issue) => problemsOf(issue, place));
  const messages = forms
    .flatMap((form) => form.flatMap((issue) => problemsOf(issue)))
    .map(({ message }) => message);
  const types = messages.map((message) => /^expected (\w+), received (\w+)$/.exec(message));
  const message = types.every((type) => type !== null)
    ? `expected ${[...new Set(types.map((type) => type[1]))].join(' or ')}, received ${types[0]?.[2] ?? ''}`
    : [...new Set(messages)].join(', or ');
  return [{ path: place.map(String).join('.'), message }];
}
