import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';

export interface FieldProblem {
  field: string;
  message: string;
}

/** A refusal with everything its HTTP answer needs. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly fields: readonly FieldProblem[] | undefined;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    code: string,
    message: string,
    extra: { fields?: readonly FieldProblem[]; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.fields = extra.fields;
    this.headers = extra.headers ?? {};
  }

  /** The body of the answer. */
  get body(): object {
    return { error: { code: this.code, message: this.message, ...(this.fields && { fields: this.fields }) } };
  }
}

export function notFound(what: string, id: string): ApiError {
  return new ApiError(404, 'not_found', `There is no ${what} with the id "${id}".`);
}

export function invalid(fields: readonly FieldProblem[]): ApiError {
  const names = fields.map(({ field }) => field).join(', ');
  return new ApiError(422, 'validation_failed', `Some fields are not valid: ${names}.`, { fields });
}

/** The value as the schema reads it, or a 422 that names each wrong field. */
export function parse<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value ?? {}, {
    error: (issue) => {
      if (issue.code !== 'invalid_type') return undefined;
      return issue.input === undefined ? 'is required' : `must be of the type ${issue.expected}`;
    },
  });
  if (result.success) return result.data;
  throw invalid(
    result.error.issues.flatMap((issue) => {
      if (issue.code === 'unrecognized_keys') {
        return issue.keys.map((field) => ({ field, message: 'is not a known field' }));
      }
      return [{ field: issue.path.join('.') || 'body', message: issue.message }];
    }),
  );
}

/** Answers every error under the API in its one shape. */
export function apiErrors(app: FastifyInstance, log: (message: string) => void): void {
  app.setNotFoundHandler((request) => {
    throw new ApiError(404, 'not_found', `There is no ${request.method} ${request.url.split('?')[0]}.`);
  });
  app.setErrorHandler((error: Error & { statusCode?: number; code?: string }, _request, reply) => {
    if (error instanceof ApiError) return reply.code(error.status).headers(error.headers).send(error.body);
    const status = error.statusCode ?? 500;
    if (status < 500) {
      return reply.code(status).send({ error: { code: 'bad_request', message: error.message } });
    }
    log(`api error: ${error.stack ?? error.message}`);
    return reply.code(500).send({ error: { code: 'server_error', message: 'Acme CRM has a problem.' } });
  });
}
