import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { createRateLimiter } from '#api/rate-limit';
import { formPage, messagePage, taskStyle } from '#api/task-page';
import { AppError, type FieldProblem } from '#domain/errors';

const bodyLimit = 3 * 1_048_576;
const policy =
  "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/**
 * The page on which people fill in the form of a human task: HTML forms and nothing else, so that it works wherever a
 * link in a mail is opened. Sending it in leads to the page again, which then says so; reloading that, or pressing the
 * button twice, sends nothing again.
 */
export function taskPageRoutes(app: ApiApp, deps: ApiDeps): void {
  const takeToken = createRateLimiter(deps.clock, deps.config.rateLimitPerMinute);
  const open = { config: { auth: 'none' as const }, schema: { hide: true } };

  app.get('/tasks/page.css', open, (_request, reply) =>
    reply
      .header('cache-control', 'public, max-age=3600')
      .header('x-content-type-options', 'nosniff')
      .type('text/css; charset=utf-8')
      .send(taskStyle),
  );

  void app.register(async (scope) => {
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit },
      (_request: FastifyRequest, body: string, done: (error: null, body: URLSearchParams) => void) =>
        done(null, new URLSearchParams(body)),
    );
    scope.setErrorHandler((error, request, reply) => {
      const known = error instanceof AppError ? error : undefined;
      if (known === undefined || known.status >= 500) request.log.error({ err: error }, 'request failed');
      const status = known?.status ?? (error as { statusCode?: number }).statusCode ?? 500;
      if (known?.code === 'rate_limited') {
        reply.header(
          'retry-after',
          String((known.details as { retryAfterSeconds: number }).retryAfterSeconds),
        );
      }
      return sendPage(
        reply,
        status,
        messagePage(status === 404 ? 'not_found' : status === 429 ? 'busy' : 'away'),
      );
    });

    scope.get('/tasks/:id', open, async (request, reply) => {
      takeToken(request.ip);
      const task = await deps.humanTasks.read(idOf(request));
      return sendPage(
        reply,
        200,
        task.status === 'WAITING' ? formPage(task.form, task.dueAt) : messagePage(task.status),
      );
    });

    scope.post('/tasks/:id', { ...open, bodyLimit }, async (request, reply) => {
      takeToken(request.ip);
      const id = idOf(request);
      const given = Object.fromEntries(request.body instanceof URLSearchParams ? request.body : []);
      try {
        await deps.humanTasks.submit(id, given);
        deps.engine.lookAtWaits();
      } catch (error) {
        if (error instanceof AppError && error.code === 'invalid_request') {
          const { problems } = error.details as { problems: readonly FieldProblem[] };
          const { form, dueAt } = await deps.humanTasks.read(id);
          return sendPage(reply, 400, formPage(form, dueAt, { given, problems }));
        }
        // Sent in before, or too late: the page says which.
        if (!(error instanceof AppError) || error.code !== 'human_task_closed') throw error;
      }
      return reply.header('cache-control', 'no-store').redirect(`/tasks/${id}`, 303);
    });
  });
}

function idOf(request: FastifyRequest): string {
  return (request.params as { id: string }).id;
}

function sendPage(reply: FastifyReply, status: number, html: string): FastifyReply {
  return (
    reply
      .code(status)
      .header('content-security-policy', policy)
      .header('referrer-policy', 'no-referrer')
      .header('x-content-type-options', 'nosniff')
      .header('x-robots-tag', 'noindex')
      // Not `no-store`: a browser then forgets what was entered when its user goes back to a form.
      .header('cache-control', 'private, no-cache')
      .type('text/html; charset=utf-8')
      .send(html)
  );
}
