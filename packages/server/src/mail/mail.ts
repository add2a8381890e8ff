import { createTransport } from 'nodemailer';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { callbackify } from 'node:util';
import type { Pool } from 'pg';
import { deleteMailSetting, findMailSetting, upsertMailSetting, type MailSecurity } from '#db/mail-setting';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { judgeMailError, type MailRetry } from '#mail/failure';
import { readAddresses, type MailAddress } from '#mail/address';
import type { Outbound } from '#outbound/index';
import { sealContext, type Vault } from '#vault/index';

/** A server that takes mail. */
export interface SmtpServer {
  readonly host: string;
  readonly port: number;
  readonly security: MailSecurity;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

export interface MailAttachment {
  readonly name: string;
  readonly contentType: string;
  /** Read once, while the message is sent. */
  readonly bytes: AsyncIterable<Buffer>;
}

export interface MailMessage {
  /** Absent: the environment's default sender, or the installation's. */
  readonly from?: MailAddress | undefined;
  readonly to: readonly MailAddress[];
  readonly cc?: readonly MailAddress[];
  readonly bcc?: readonly MailAddress[];
  readonly subject: string;
  readonly text?: string | undefined;
  readonly html?: string | undefined;
  readonly attachments?: readonly MailAttachment[];
  /** Absent: the environment's server, else the installation's. */
  readonly smtp?: SmtpServer | undefined;
  /** The same key gives the same Message-ID, by which mailboxes know a message that came twice. */
  readonly idempotencyKey: string;
  readonly signal?: AbortSignal;
}

/** What became of a message. A server may take it for some recipients and refuse others. */
export type MailResult =
  | {
      readonly isSent: true;
      readonly messageId: string;
      readonly accepted: readonly string[];
      readonly rejected: readonly string[];
      readonly smtpHost: string;
    }
  | {
      readonly isSent: false;
      readonly message: string;
      /** `safe`: no recipient has it; `unknown`: somebody may; `never`: it would be refused again. */
      readonly retry: MailRetry;
    };

/** How an environment sends, as it may be read: without the password. */
export interface MailSetting {
  readonly host: string;
  readonly port: number;
  readonly security: MailSecurity;
  readonly username: string | null;
  readonly hasPassword: boolean;
  readonly defaultFrom: string | null;
}

export interface Mail {
  /** @throws AppError `mail_not_configured`, `egress_forbidden`; what the server says is returned */
  send(tenant: Tenant, message: MailMessage): Promise<MailResult>;
  setting(tenant: Tenant): Promise<MailSetting | undefined>;
  /** An absent password keeps the stored one while host, port and user stay; null removes it. */
  changeSetting(
    tenant: Tenant,
    setting: Omit<MailSetting, 'hasPassword'> & { readonly password?: string | null | undefined },
  ): Promise<MailSetting>;
  removeSetting(tenant: Tenant): Promise<boolean>;
}

export interface MailDeps {
  readonly pool: Pool;
  readonly vault: Vault;
  readonly outbound: Pick<Outbound, 'connect'>;
  /** The installation's own server, for environments that have none. */
  readonly config: { readonly mail: { readonly smtp: SmtpServer; readonly from: string } | undefined };
}

type SocketCallback = (error: Error | null, socket: { connection: Socket }) => void;

const connectTimeoutMs = 15_000;
const silenceMs = 60_000;

/** Sends mail: through a server that a node names, the environment's own, or the installation's. */
export function createMail({ pool, vault, outbound, config }: MailDeps): Mail {
  const context = ({ orgId, environment }: Tenant): string =>
    sealContext('mail_setting.password_sealed', orgId, environment);

  /** The server and sender of a message. Only the installation's server may be a private address. */
  async function routeOf(
    tenant: Tenant,
    message: MailMessage,
  ): Promise<{ server: SmtpServer; from: MailAddress; replyTo?: MailAddress; isOperators: boolean }> {
    const row = await findMailSetting(pool, tenant);
    const stored = row?.defaultFrom == null ? undefined : firstAddress(row.defaultFrom);
    const from = message.from ?? stored;
    const own =
      message.smtp ??
      (row === undefined
        ? undefined
        : {
            host: row.host,
            port: row.port,
            security: row.security,
            username: row.username ?? undefined,
            password:
              row.passwordSealed === null
                ? undefined
                : vault.open(row.passwordSealed, context(tenant)).toString('utf8'),
          });
    if (own !== undefined) {
      if (from === undefined) throw new AppError('mail_not_configured', { missing: 'a sender ("from")' });
      return { server: own, from, isOperators: false };
    }
    if (config.mail === undefined) throw new AppError('mail_not_configured', { missing: 'an SMTP server' });
    // Tenants share this server, so none of them may send in another's name: theirs is where answers go.
    const operators = firstAddress(config.mail.from);
    return {
      server: config.mail.smtp,
      from: operators,
      ...(from !== undefined && { replyTo: from }),
      isOperators: true,
    };
  }

  async function send(tenant: Tenant, message: MailMessage): Promise<MailResult> {
    const { server, from, replyTo, isOperators } = await routeOf(tenant, message);
    const { host, port, security, username, password } = server;
    const messageId = messageIdOf(message.idempotencyKey, from);
    const connect = callbackify(async () => ({
      connection: await outbound.connect({ host, port, timeoutMs: connectTimeoutMs, ...signalOf(message) }),
    }));
    const transport = createTransport({
      host,
      port,
      secure: security === 'tls',
      requireTLS: security === 'starttls',
      ignoreTLS: security === 'none',
      ...(username !== undefined && { auth: { user: username, pass: password ?? '' } }),
      tls: { servername: host, minVersion: 'TLSv1.2' },
      connectionTimeout: connectTimeoutMs,
      greetingTimeout: connectTimeoutMs,
      socketTimeout: silenceMs,
      disableFileAccess: true,
      disableUrlAccess: true,
      ...(!isOperators && {
        getSocket: (_options: unknown, done: SocketCallback) => connect(done),
      }),
    });
    const onAbort = (): void => transport.close();
    message.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const info = await transport.sendMail({
        from: { ...from },
        ...(replyTo !== undefined && { replyTo: { ...replyTo } }),
        to: mutable(message.to),
        cc: mutable(message.cc),
        bcc: mutable(message.bcc),
        subject: message.subject.replaceAll(/[\r\n\0]+/g, ' '),
        text: message.text,
        html: message.html,
        messageId,
        attachments: (message.attachments ?? []).map(({ name, contentType, bytes }) => ({
          filename: name,
          contentType: contentType.replaceAll(/[\r\n\0]/g, ''),
          content: Readable.from(bytes, { objectMode: false }),
        })),
      });
      return {
        isSent: true,
        messageId,
        accepted: info.accepted.map(textOf),
        rejected: info.rejected.map(textOf),
        smtpHost: host,
      };
    } catch (error) {
      if (error instanceof AppError && error.code !== 'provider_unreachable') throw error;
      return { isSent: false, ...judgeMailError(error, `${host}:${port}`) };
    } finally {
      message.signal?.removeEventListener('abort', onAbort);
      transport.close();
    }
  }

  async function setting(tenant: Tenant): Promise<MailSetting | undefined> {
    const row = await findMailSetting(pool, tenant);
    if (row === undefined) return undefined;
    const { host, port, security, username, passwordSealed, defaultFrom } = row;
    return { host, port, security, username, hasPassword: passwordSealed !== null, defaultFrom };
  }

  return {
    send,
    setting,
    async changeSetting(tenant, { password, ...given }) {
      const before = await setting(tenant);
      // A stored password goes to the server and user that it was given for, and to no other.
      const isSameDoor =
        before?.host === given.host && before.port === given.port && before.username === given.username;
      const kept = isSameDoor ? undefined : null;
      const passwordSealed =
        password === undefined ? kept : password === null ? null : vault.seal(password, context(tenant));
      await upsertMailSetting(pool, tenant, { ...given, passwordSealed });
      return (await setting(tenant))!;
    },
    removeSetting: (tenant) => deleteMailSetting(pool, tenant),
  };
}

/** A sender as settings keep it, checked when it was written. */
function firstAddress(text: string): MailAddress {
  const found = readAddresses(text);
  const [first] = typeof found === 'string' ? [] : found;
  if (first === undefined) throw new AppError('mail_not_configured', { missing: 'a sender ("from")' });
  return first;
}

function messageIdOf(idempotencyKey: string, from: MailAddress): string {
  const domain = from.address.split('@').at(-1) ?? 'localhost';
  return `<${Buffer.from(idempotencyKey).toString('base64url')}@${domain}>`;
}

function signalOf({ signal }: MailMessage): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function mutable(addresses: readonly MailAddress[] | undefined): MailAddress[] {
  return (addresses ?? []).map((address) => ({ ...address }));
}

function textOf(recipient: string | { readonly address?: string | undefined }): string {
  return typeof recipient === 'string' ? recipient : (recipient.address ?? '');
}
