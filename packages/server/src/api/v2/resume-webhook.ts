import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { harmlessHeaders } from '#api/context';
import type { ApiDeps } from '#api/deps';
import { AppError } from '#domain/errors';
import { proofsOf } from '#engine/index';

/** The URL that a wait-for-webhook node gives away; the token in it is the credential. */
export function resumeWebhookRoutes(app: ApiApp, deps: Pick<ApiDeps, 'engine'>): void {
  app.post(
    '/api/v1/workflows/webhooks/:webhook_id',
    {
      config: { auth: 'none' },
      bodyLimit: 1_048_576,
      schema: {
        tags: ['Workflows'],
        summary: 'Resume an execution that waits for a webhook',
        description:
          'The first valid call resumes it with `{headers, body}`. One that comes before the node waits is kept for it. 409: nobody waits (any longer), or several executions wait at a URL that cannot tell them apart.',
        operationId: 'resumeWaitForWebhook',
        params: z.object({ webhook_id: z.string().max(1_000) }),
        body: z.unknown(),
        response: { 200: z.object({ message: z.string() }) },
      },
    },
    async (request) => {
      const all = Object.entries(request.headers).flatMap(([name, value]) =>
        typeof value === 'string' ? [[name, value] as const] : [],
      );
      const call = { headers: harmlessHeaders(request), body: request.body ?? null, proofs: proofsOf(all) };
      const answer = await deps.engine.resumeByCall(request.params.webhook_id, call);
      if (answer === 'unknown') throw new AppError('resume_url_not_found', {});
      if (answer === 'wrong_headers') throw new AppError('resume_headers_wrong', {});
      if (answer === 'ambiguous' || answer === 'nobody_waits') {
        throw new AppError('resume_refused', { isAmbiguous: answer === 'ambiguous' });
      }
      return { message: 'Received' };
    },
  );
}
