import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { consoleOf, requireAdmin } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { AppError } from '#domain/errors';
import { readAddresses, type MailAddress } from '#mail/index';

const tags = ['Dashboard: mail'];
const security = z.enum(['tls', 'starttls', 'none']);

const settingShape = z.object({
  host: z.string(),
  port: z.number(),
  security,
  username: z.string().nullable(),
  has_password: z.boolean().describe('The password itself is never shown again'),
  default_from: z.string().nullable(),
});

const oneAddress = z
  .string()
  .max(320)
  .refine((text) => {
    const found = readAddresses(text);
    return typeof found !== 'string' && found.length === 1;
  }, 'is not an e-mail address');

/** How the environment of the dashboard sends mail. */
export function adminMailSettingRoutes(app: ApiApp, deps: Pick<ApiDeps, 'mail'>): void {
  app.get(
    '/api/admin/mail-settings',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Read how this environment sends mail',
        response: { 200: z.object({ settings: settingShape.nullable() }) },
      },
    },
    async (request) => {
      const setting = await deps.mail.setting(consoleOf(request).tenant);
      return { settings: setting === undefined ? null : shape(setting) };
    },
  );

  app.put(
    '/api/admin/mail-settings',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Set the mail server of this environment',
        body: z.object({
          host: z
            .string()
            .trim()
            .min(1)
            .max(253)
            .regex(/^[\w.:-]+$/, 'is not a host name'),
          port: z.number().int().min(1).max(65_535),
          security: security.default('starttls'),
          username: z.string().min(1).max(320).nullable().default(null),
          password: z
            .string()
            .min(1)
            .max(1000)
            .nullish()
            .describe('Left out: the stored one stays, unless host, port or user change; null removes it'),
          default_from: oneAddress.nullable().default(null),
        }),
        response: { 200: z.object({ settings: settingShape }) },
      },
    },
    async (request) => {
      const { tenant } = requireAdmin(request);
      const { default_from: defaultFrom, ...given } = request.body;
      return { settings: shape(await deps.mail.changeSetting(tenant, { ...given, defaultFrom })) };
    },
  );

  app.delete(
    '/api/admin/mail-settings',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Forget the mail server of this environment',
        response: { 200: z.object({ removed: z.boolean() }) },
      },
    },
    async (request) => ({ removed: await deps.mail.removeSetting(requireAdmin(request).tenant) }),
  );

  app.post(
    '/api/admin/mail-settings/test',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Send a test message with the stored settings',
        body: z.object({ to: oneAddress }),
        response: { 200: z.object({ message_id: z.string(), smtp_host: z.string() }) },
      },
    },
    async (request) => {
      const { tenant } = requireAdmin(request);
      const result = await deps.mail.send(tenant, {
        to: readAddresses(request.body.to) as readonly MailAddress[],
        subject: 'Test message',
        text: 'The mail settings of this environment work.',
        idempotencyKey: `test:${randomUUID()}`,
      });
      if (!result.isSent) throw new AppError('wrong_state', { reason: result.message });
      return { message_id: result.messageId, smtp_host: result.smtpHost };
    },
  );
}

function shape(
  setting: NonNullable<Awaited<ReturnType<ApiDeps['mail']['setting']>>>,
): z.output<typeof settingShape> {
  const { hasPassword, defaultFrom, ...rest } = setting;
  return { ...rest, has_password: hasPassword, default_from: defaultFrom };
}
