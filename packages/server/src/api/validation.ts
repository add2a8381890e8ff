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
      : { error: new AppError('invalid_request', { problems: result.error.issues.map(problem) }) };
  };

/** One zod issue in our words. The first words tell a missing field from a wrong one. */
export function problem(issue: $ZodIssue): FieldProblem {
  const path = issue.path.map(String).join('.');
  if (
    issue.code === 'invalid_type' &&
    (issue.input === undefined || issue.message.endsWith('received undefined'))
  ) {
    return { path, message: 'is required' };
  }
  return { path, message: issue.message.replace(/^Invalid input: /, '') };
}
