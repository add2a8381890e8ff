import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { AppError, errorCatalogue, type FieldProblem } from '#domain/errors';

const httpErrorTypes: Record<number, string> = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  408: 'REQUEST_TIMEOUT',
  409: 'CONFLICT',
  410: 'GONE',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  416: 'RANGE_NOT_SATISFIABLE',
  422: 'UNPROCESSABLE_ENTITY',
  429: 'TOO_MANY_REQUESTS',
  431: 'REQUEST_HEADER_FIELDS_TOO_LARGE',
  500: 'INTERNAL_SERVER_ERROR',
  501: 'NOT_IMPLEMENTED',
  502: 'EXTERNAL_API_ERROR',
  503: 'SERVICE_UNAVAILABLE',
};

/** The one shape of every 4xx and 5xx: the union of the five that Cobalt's clients read (spec/api §2.3). */
export interface ErrorBody {
  status_code: number;
  http_error_type: string;
  error_type: string;
  error_code: string;
  error: string;
  message: string;
  request_id: string;
  errors?: readonly FieldProblem[];
}

export function errorBody(error: AppError, requestId: string): ErrorBody {
  const type = httpErrorTypes[error.status] ?? 'INTERNAL_SERVER_ERROR';
  const { wire } = errorCatalogue[error.code];
  const details: unknown = error.details;
  const problems =
    typeof details === 'object' && details !== null && 'problems' in details
      ? (details.problems as readonly FieldProblem[])
      : undefined;
  return {
    status_code: error.status,
    http_error_type: type,
    error_type: type,
    error_code: wire,
    error: wire,
    message: error.message,
    request_id: requestId,
    ...(problems && { errors: problems }),
  };
}

/** Answers with an error. Set as Fastify's error handler, so a thrown {@link AppError} ends here. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = error instanceof AppError ? error : fromFastify(error, request);
  // 501 says what this cannot be asked for; the caller erred, not Inlay.
  if (known.status >= 500 && known.status !== 501) {
    request.log.error({ err: error, code: known.code }, 'request failed');
  }
  if (known.code === 'body_too_large') takeRestOfBody(request, reply);
  const details: unknown = known.details;
  if (typeof details === 'object' && details !== null && 'retryAfterSeconds' in details) {
    reply.header('retry-after', String(details.retryAfterSeconds));
  }
  return reply
    .code(known.status)
    .header('x-trace-id', request.id)
    .type('application/json; charset=utf-8')
    .serializer(JSON.stringify)
    .send(errorBody(known, request.id));
}

/** What is read of a refused body, in bytes, before the connection is cut after all. */
const mostRefusedBytes = 64 * 1_048_576;

/**
 * Fastify would close the connection with the answer. A caller that still sends is then reset by the kernel and
 * may never read why it was refused, so the rest of the body is taken and thrown away.
 */
function takeRestOfBody({ raw }: FastifyRequest, reply: FastifyReply): void {
  reply.removeHeader('connection');
  let taken = 0;
  raw.on('data', (chunk: Buffer) => {
    taken += chunk.length;
    if (taken > mostRefusedBytes) raw.socket.destroy();
  });
  raw.resume();
}

/** Answers what could not be read as a request at all, and closes the connection. */
export function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const known = new AppError(unreadable[error.code ?? ''] ?? 'malformed_http', undefined, { cause: error });
  const requestId = randomUUID();
  const body = JSON.stringify(errorBody(known, requestId));
  socket.end(
    `HTTP/1.1 ${known.status} ${STATUS_CODES[known.status] ?? ''}\r\nx-trace-id: ${requestId}\r\n` +
      `content-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `connection: close\r\n\r\n${body}`,
  );
}

const unreadable: Readonly<Record<string, 'headers_too_large' | 'request_too_slow'>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_too_slow',
};

/** Fastify's own errors in our words; anything else is a fault of ours. */
function fromFastify(error: unknown, request: FastifyRequest): AppError {
  const cause = { cause: error };
  switch ((error as Partial<FastifyError>).code) {
    case 'ECONNRESET':
      // The caller hung up while its body came: nobody reads this answer, and nothing of ours failed.
      return request.raw.destroyed && !request.raw.complete
        ? new AppError('malformed_json', { reason: 'it ended early' }, cause)
        : new AppError('internal', undefined, cause);
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new AppError('body_too_large', { limitBytes: request.routeOptions.bodyLimit ?? 0 }, cause);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new AppError('unsupported_media_type', { type: request.headers['content-type'] ?? '' }, cause);
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new AppError('malformed_json', { reason: 'it is shorter than its content-length' }, cause);
    case 'FST_ERR_BAD_URL':
      return new AppError('invalid_request', { problems: [badUrl] }, cause);
    case postgresCharacterError:
      return new AppError('invalid_request', { problems: [{ path: '', message: nulMessage }] }, cause);
    default:
      return isFileRefusal(error)
        ? new AppError(
            'route_not_found',
            { method: request.method, path: request.url.split('?')[0] ?? '' },
            cause,
          )
        : new AppError('internal', undefined, cause);
  }
}

/** What @fastify/send says about a path that leaves its folder or that no file can have. */
function isFileRefusal(error: unknown): boolean {
  const { expose, statusCode } = error as { expose?: unknown; statusCode?: unknown };
  return expose === true && typeof statusCode === 'number' && statusCode < 500;
}

/** character_not_in_repertoire: a `%00` of the path or the query reached a query. */
const postgresCharacterError = '22021';
const nulMessage = 'The path or the query holds a NUL character (%00). No id or name has one.';

const badUrl: FieldProblem = {
  path: 'path',
  message: 'is not a valid percent-encoded URL path. Write a literal % as %25',
};
