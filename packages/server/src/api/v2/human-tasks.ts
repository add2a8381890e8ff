import { z } from 'zod';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { createRateLimiter } from '#api/rate-limit';
import { wireTime } from '#api/wire';
import { AppError } from '#domain/errors';
import { jsonSchemaOf, type OpenTask, uiSchemaOf } from '#human-tasks/index';

const tags = ['Human tasks'];
const params = z.object({
  id: z.string().max(200).describe('From the link in the mail; it is the credential'),
});

const taskShape = z.object({
  _id: z.string(),
  name: z.string(),
  description: z.string(),
  form_structure: z.record(z.string(), z.unknown()).describe('JSON Schema'),
  ui_structure: z.record(z.string(), z.unknown()).describe('uiSchema of react-jsonschema-form'),
  data: z.record(z.string(), z.unknown()).describe('What is filled in; once submitted, the answer'),
  expire_in: z.string(),
  receiver_emails: z.array(z.string()),
  status: z.enum(['WAITING', 'SUBMITTED', 'TIMEOUT']),
  createdAt: z.string(),
  updatedAt: z.string(),
});

/** Forms that people fill in while an execution waits (spec/api §4.15). The id is the credential. */
export function humanTaskRoutes(app: ApiApp, deps: ApiDeps): void {
  const takeToken = createRateLimiter(deps.clock, deps.config.rateLimitPerMinute);

  app.get(
    '/api/v2/public/human-tasks/:id',
    {
      config: { auth: 'none' },
      schema: {
        tags,
        summary: 'Read the form of a human task',
        operationId: 'getHumanTask',
        params,
        response: { 200: taskShape },
      },
    },
    async (request, reply) => {
      takeToken(request.ip);
      const task = await deps.humanTasks.read(request.params.id);
      reply.header('cache-control', 'no-store');
      return shape(task);
    },
  );

  app.post(
    '/api/v2/public/human-tasks/:id',
    {
      config: { auth: 'none' },
      schema: {
        tags,
        summary: 'Submit the form of a human task',
        description:
          'The first submission counts and lets the workflow go on. 400: submitted already, too late, or `errors` names the fields that are wrong.',
        operationId: 'submitHumanTask',
        params,
        body: z.object({ data: z.record(z.string(), z.unknown()) }),
        response: { 200: z.object({ message: z.string() }) },
      },
    },
    async (request) => {
      takeToken(request.ip);
      try {
        await deps.humanTasks.submit(request.params.id, request.body.data);
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'invalid_request') throw error;
        const { problems } = error.details as { problems: readonly { path: string; message: string }[] };
        throw new AppError(
          'invalid_request',
          { problems: problems.map(({ path, message }) => ({ path: `data.${path}`, message })) },
          { cause: error },
        );
      }
      deps.engine.lookAtWaits();
      return { message: 'Form submitted successfully' };
    },
  );
}

function shape(task: OpenTask): z.output<typeof taskShape> {
  return {
    _id: task.id,
    name: task.form.title,
    description: task.form.description,
    form_structure: jsonSchemaOf(task.form),
    ui_structure: uiSchemaOf(task.form),
    data: task.answer ?? task.form.prefilled,
    expire_in: wireTime(task.dueAt),
    receiver_emails: [...task.receivers],
    status: task.status,
    createdAt: wireTime(task.createdAt),
    updatedAt: wireTime(task.updatedAt),
  };
}
