import { z } from 'zod';
import { done, failed, nodeType, type NodeContext, type NodeField } from '#engine/nodes/node-type';
import { fileList } from '#engine/nodes/settings';
import { readAddresses, type MailAddress, type MailAttachment, type SmtpServer } from '#mail/index';

const attachmentLimitBytes = 20 * 1024 * 1024;
const mostAttachments = 20;
const mostRecipients = 500;
/** A copy of an attachment from elsewhere lives as long as any attempt to send it may take. */
const stagedTtlS = 6 * 3600;

/** `a@x.example, B <b@x.example>`, or a list of such texts. */
export const addresses = z
  .union([z.string(), z.array(z.string())], { error: 'write addresses with commas between them' })
  .nullish()
  .transform((given, ctx): readonly MailAddress[] => {
    const found = readAddresses(given ?? '');
    if (typeof found !== 'string') return found;
    ctx.addIssue({ code: 'custom', message: found });
    return z.NEVER;
  });

const port = z.coerce.number({ error: 'is not a port' }).int().min(1).max(65_535);

const serverForm = z
  .looseObject({
    host: z.string().trim().optional(),
    port: z.union([z.literal('').transform(() => undefined), port]).optional(),
    user: z.string().optional(),
    username: z.string().optional(),
    pass: z.string().optional(),
    password: z.string().optional(),
    tls: z.unknown().optional(),
    security: z.string().optional(),
  })
  .transform((given, ctx): SmtpServer | undefined => {
    const host = given.host ?? '';
    if (host === '') return undefined;
    if (!/^[\w.:-]{1,253}$/.test(host)) {
      ctx.addIssue({ code: 'custom', path: ['host'], message: 'is not a host name' });
      return z.NEVER;
    }
    const security = securityOf(given.security, given.tls, given.port);
    if (security === undefined) {
      ctx.addIssue({ code: 'custom', path: ['security'], message: 'use tls, starttls or none' });
      return z.NEVER;
    }
    const username = given.username ?? given.user ?? '';
    return {
      host,
      port: given.port ?? (security === 'tls' ? 465 : 587),
      security,
      ...(username !== '' && { username, password: given.password ?? given.pass ?? '' }),
    };
  });

/** A mail server of the node's own; none when it names no host. */
export const ownServer = z.preprocess(
  (given) => (given === '' || given === null ? {} : given),
  serverForm.optional(),
);

/** `tls: true` means a secure connection; which kind follows from the port, as mail programs have it. */
function securityOf(
  security: string | undefined,
  tls: unknown,
  at: number | undefined,
): SmtpServer['security'] | undefined {
  const written = (security ?? '').toLowerCase();
  if (written === 'tls' || written === 'starttls' || written === 'none') return written;
  if (written !== '') return undefined;
  if (tls === false || tls === 'false') return 'none';
  return at === 465 ? 'tls' : 'starttls';
}

const settings = z
  .looseObject({
    smtp: ownServer,
    from: addresses,
    to: addresses,
    cc: addresses,
    bcc: addresses,
    subject: z.string({ error: 'write a subject' }).trim().min(1, 'write a subject').max(998),
    body: z.string({ error: 'write a body' }).min(1, 'write a body'),
    body_type: z
      .enum(['html', 'text', ''], { error: 'use html or text' })
      .nullish()
      .transform((type) => (type === '' ? undefined : (type ?? undefined))),
    attachments: fileList(mostAttachments),
  })
  .superRefine((given, ctx) => {
    if (given.to.length === 0) ctx.addIssue({ code: 'custom', path: ['to'], message: 'name a recipient' });
    if (given.from.length > 1) ctx.addIssue({ code: 'custom', path: ['from'], message: 'name one sender' });
    if (given.to.length + given.cc.length + given.bcc.length > mostRecipients) {
      ctx.addIssue({ code: 'custom', path: ['to'], message: `name ${mostRecipients} recipients at most` });
    }
  });

type EmailSettings = z.infer<typeof settings>;

/** What is not said to be text or HTML is HTML when there is a tag in it. */
export function isHtml(given: {
  readonly body: string;
  readonly body_type?: string | null | undefined;
}): boolean {
  return given.body_type === 'html' || (!given.body_type && /<[a-z!/]/i.test(given.body));
}

/** A mail server as the log shows it. */
export function shownServer(server: SmtpServer): SmtpServer {
  return { ...server, ...(server.password !== undefined && { password: '[REDACTED]' }) };
}

/** Of every node that sends mail, as {@link isHtml} reads it. */
export const bodyTypeField: NodeField = {
  type: 'select',
  label: 'Body is',
  help: 'Left open, a body with a tag in it is HTML.',
  options: [
    { name: 'HTML', value: 'html' },
    { name: 'Text', value: 'text' },
  ],
};

/** A mail server of the author's own. */
export const smtpField: NodeField = {
  type: 'map',
  label: 'Own mail server',
  help: 'host, port, username, password, security (tls, starttls or none). Empty: the one of your mail settings.',
};

/** Sends one message to its recipients. */
export const sendEmail = nodeType<EmailSettings>({
  type: 'send_email',
  label: 'Send Email',
  group: 'app',
  help: 'Sends an e-mail by the mail server of your organization, or by one of your own.',
  reference: {
    output:
      '`{email_sent, message_id, recipients, subject, sent_at, attachments_processed, smtp_host}`, and `rejected` when the server refused some of the receivers.',
    errors:
      'Addresses that are none; no mail server; a refusal of the server; an attachment that cannot be read or is larger than 20 MB, before anything is sent.',
  },
  // SMTP has no way to ask whether a message arrived: after an unknown outcome it is not sent again. Its Message-ID
  // is the same on every attempt, so that mailboxes recognise one that did come twice.
  effect: 'once',
  fields: {
    from: {
      type: 'text',
      label: 'From',
      placeholder: 'Acme <billing@acme.example>',
      help: 'Empty: the default sender of your mail settings.',
    },
    to: { type: 'text', label: 'To', required: true, help: 'Addresses with commas between them.' },
    cc: { type: 'text', label: 'Cc' },
    bcc: { type: 'text', label: 'Bcc' },
    subject: { type: 'text', label: 'Subject', required: true },
    body: {
      type: 'textarea',
      label: 'Body',
      required: true,
      help: 'HTML may use {{#each event.items}}…{{/each}} and {{#if event.note}}…{{/if}}.',
    },
    body_type: bodyTypeField,
    attachments: { type: 'json', label: 'Attachments', help: 'A list of file URLs, 20 MB each at most.' },
    smtp: smtpField,
  },
  settings,
  markup: ['body'],
  logged: ({ smtp, ...shown }) => ({
    ...shown,
    ...(smtp !== undefined && { smtp: shownServer(smtp) }),
  }),
  async run(given, ctx) {
    const attachments = await staged(given.attachments, ctx);
    const result = await ctx.services.mail.send(ctx.tenant, {
      from: given.from[0],
      to: given.to,
      cc: given.cc,
      bcc: given.bcc,
      subject: given.subject,
      ...(isHtml(given) ? { html: given.body } : { text: given.body }),
      attachments,
      smtp: given.smtp,
      idempotencyKey: ctx.idempotencyKey,
      signal: ctx.signal,
    });
    if (!result.isSent) return failed({ message: result.message, retry: result.retry });
    return done({
      email_sent: true,
      message_id: result.messageId,
      recipients: result.accepted,
      ...(result.rejected.length > 0 && { rejected: result.rejected }),
      subject: given.subject,
      sent_at: ctx.now.toISOString(),
      attachments_processed: attachments.length,
      smtp_host: result.smtpHost,
    });
  },
});

/**
 * Opens the attachments before the mail server hears of the message: one that cannot be read, or is too large, then
 * fails the node while it is certain that nothing was sent. Those from elsewhere are copied to the file store, in a
 * stream, so that none of them ever stands in memory whole.
 */
async function staged(sources: EmailSettings['attachments'], ctx: NodeContext): Promise<MailAttachment[]> {
  const { files, openSource } = ctx.services;
  const linkedAccountId = ctx.linkedAccount.id;
  const result: MailAttachment[] = [];
  for (const [index, { url, name }] of sources.entries()) {
    const options = { linkedAccountId, signal: ctx.signal, limitBytes: attachmentLimitBytes };
    const source = await openSource(ctx.tenant, url, options);
    const copy = await files.write(
      ctx.tenant,
      {
        name: name ?? source.name,
        contentType: source.contentType,
        ttlS: stagedTtlS,
        linkedAccountId,
        writeKey: `${ctx.idempotencyKey}:attachment:${index}`,
      },
      source.bytes,
    );
    const file = await files.read(ctx.tenant, copy.id);
    result.push({ name: copy.name, contentType: copy.contentType, bytes: file.bytes() });
  }
  return result;
}
