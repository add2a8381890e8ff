import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';

/** The server that route files register on: bodies, queries and answers are typed by their zod schemas. */
export type ApiApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** Body limit of routes that carry customers' payloads (execute, events); everything else gets the default. */
export const payloadBodyLimit = 3 * 1024 * 1024;
export const defaultBodyLimit = 1024 * 1024;
