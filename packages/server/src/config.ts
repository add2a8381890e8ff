import path from 'node:path';
import { z } from 'zod';
import { StartupError } from '#domain/startup-error';
import { readAddresses } from '#mail/address';
import type { SmtpServer } from '#mail/index';
import { isEgressRule } from '#outbound/address-policy';

/**
 * Every setting of Inlay, and the only reader of environment variables. `docs/settings.md` is generated from
 * this table and kept equal by a test.
 */

/** The root of the checkout: relative folders start here, wherever the command was typed. */
const checkout = path.resolve(import.meta.dirname, '../../..');

const megabyte = 1024 * 1024;

interface Setting<T extends z.ZodType> {
  readonly schema: T;
  /** One value that would be right, shown when the value given is not. */
  readonly example: string;
  readonly help: string;
  /** What the table shows as the default; "none" means: unset is fine. */
  readonly fallback: string;
}

function setting<T extends z.ZodType>(
  schema: T,
  fallback: string,
  example: string,
  help: string,
): Setting<T> {
  return { schema, fallback, example, help };
}

const count = (from: number, to: number) => {
  const rule = `must be a whole number from ${from} to ${to}`;
  return z.coerce.number(rule).int(rule).min(from, rule).max(to, rule);
};
const port = count(1, 65_535);
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
);
const webUrl = z
  .url({ protocol: /^https?$/, error: 'is not an http(s) address' })
  .refine(
    (text) => URL.canParse(text) && new URL(text).pathname === '/' && new URL(text).search === '',
    'must be an origin, without a path',
  );
const cidr = z.union([z.cidrv4(), z.cidrv6()], { error: 'is not a list of address ranges' });
const folder = z.string().transform((text) => path.resolve(checkout, text));
/** Values that stand in examples all over the web, and therefore protect nothing. */
const exampleSecret = /^(change[-_ ]?me|secret|password|example|your[-_ ].*|test|xxx+|<.*>)$/i;
const refuseExample = (text: string): boolean => !exampleSecret.test(text);

const table = {
  INLAY_ROLE: setting(
    z.enum(['all', 'api', 'worker']).default('all'),
    'all',
    'worker',
    'What this process does: `api` answers requests, `worker` runs workflows, `all` both. The flag `--role` wins.',
  ),
  INLAY_HOST: setting(
    z.string().default('localhost'),
    'localhost',
    '0.0.0.0',
    'The address to listen on. The default is reachable from this machine only; `0.0.0.0` opens it to the network.',
  ),
  INLAY_PORT: setting(port.default(4000), '4000', '4000', 'The port to listen on. The flag `--port` wins.'),
  INLAY_PUBLIC_URL: setting(
    webUrl.optional(),
    'http://localhost:<port>',
    'https://inlay.example.com',
    'The address under which browsers and providers reach Inlay: connect links and OAuth redirect URLs start with it.',
  ),
  INLAY_ALLOWED_ORIGINS: setting(
    list.pipe(z.array(z.union([z.literal('*'), webUrl]))).default(['*']),
    '*',
    'https://app.example.com',
    "Origins, separated by commas, whose pages may call the API from a browser. Calls need a token either way; name your app's origins to narrow it.",
  ),
  INLAY_DATA_DIR: setting(
    folder.default(path.join(checkout, '.inlay')),
    '.inlay',
    '/var/lib/inlay',
    'The folder for everything Inlay keeps on disk: embedded database, key ring, run state.',
  ),
  DATABASE_URL: setting(
    z.url({ protocol: /^postgres(ql)?$/, error: 'is not a postgresql:// URL' }).optional(),
    'none',
    'postgresql://inlay:password@db.example.com:5432/inlay',
    'A PostgreSQL of yours, 14 or newer. Without it Inlay runs its own, in the data folder.',
  ),
  INLAY_DATABASE_POOL: setting(
    count(2, 500).default(20),
    '20',
    '20',
    'The largest number of database connections of one process.',
  ),
  INLAY_KEY_FILE: setting(
    folder.optional(),
    '<data folder>/keys.json',
    '/etc/inlay/keys.json',
    'The file with the keys that seal stored secrets; made at the first start. Keep a copy: without it they are lost.',
  ),
  INLAY_MASTER_KEY: setting(
    z
      .string()
      .refine(refuseExample, 'is an example value; make a key with "openssl rand -base64 32"')
      .optional(),
    'none',
    'the output of "openssl rand -base64 32"',
    'The keys themselves (32 bytes, base64 or hex; several separated by commas, the first one seals), in place of the key file.',
  ),
  INLAY_EGRESS_ALLOW: setting(
    list
      .pipe(z.array(z.string().refine(isEgressRule, 'is not a list of addresses or address ranges')))
      .default([]),
    'none',
    '10.20.0.0/16,192.168.7.9:8080',
    'Addresses and address ranges, each with a port if you like, separated by commas, that connectors and HTTP nodes may call although they are private. The demo adds Acme CRM.',
  ),
  INLAY_SESSION_TOKEN_HOURS: setting(
    count(1, 720).default(24),
    '24',
    '24',
    'How long a session token lives, in hours.',
  ),
  INLAY_SIGN_UP: setting(
    z.enum(['open', 'closed']).default('open'),
    'open',
    'closed',
    'Whether anybody who reaches the dashboard may sign up with an organization of their own.',
  ),
  INLAY_SYNC_TIMEOUT_S: setting(
    count(1, 900).default(100),
    '100',
    '100',
    'How long a call waits for a workflow that is executed synchronously, in seconds.',
  ),
  INLAY_RATE_LIMIT: setting(
    count(0, 10_000_000).default(0),
    '0',
    '6000',
    'The largest number of requests of one credential in a minute, in each process; 0 is no limit.',
  ),
  INLAY_ACCOUNT_RATE_LIMIT: setting(
    count(0, 10_000_000).default(0),
    '0',
    '1200',
    'The same for one linked account.',
  ),
  INLAY_WEBHOOK_RATE_LIMIT: setting(
    count(0, 10_000_000).default(1200),
    '1200',
    '6000',
    'The largest number of calls of one inbound webhook URL in a minute, in each process; 0 is no limit.',
  ),
  INLAY_FRAME_ANCESTORS: setting(
    list.pipe(z.array(webUrl)).default([]),
    'none',
    'https://app.example.com',
    'Origins, separated by commas, whose pages may show the Connect portal in a frame.',
  ),
  INLAY_WORKER_CONCURRENCY: setting(
    count(1, 10_000).default(100),
    '100',
    '100',
    'How many executions one worker runs at the same time.',
  ),
  INLAY_BATCH_LIMIT: setting(
    count(1, 10_000_000).default(10_000),
    '10000',
    '50000',
    'How many iterations of loops one execution may have, those of loops inside loops counted too.',
  ),
  INLAY_QUEUE_MAX_AGE_H: setting(
    count(1, 8_760).default(168),
    '168',
    '24',
    'How long an execution may wait for a worker, in hours. One that waits longer is ended as timed out and says why.',
  ),
  INLAY_LOG_RETENTION_DAYS: setting(
    count(1, 3_650).default(30),
    '30',
    '14',
    'How many days the logs of executions are kept, for organisations that choose nothing else. At most INLAY_LOG_RETENTION_MAX_DAYS.',
  ),
  INLAY_LOG_RETENTION_MAX_DAYS: setting(
    count(1, 3_650).default(365),
    '365',
    '90',
    'The most days that an organisation may choose. A lower number than one that was chosen before wins.',
  ),
  INLAY_SANDBOX_PROCESSES: setting(
    count(1, 64).default(2),
    '2',
    '2',
    'How many processes run customer code. One organisation uses all but one of them at most, so that others are not kept waiting.',
  ),
  INLAY_CODE_TIMEOUT_S: setting(
    count(1, 900).default(60),
    '60',
    '10',
    'How long a Custom Code node may run, in seconds. Code that takes longer keeps one of those processes busy.',
  ),
  INLAY_SMTP_URL: setting(
    z.url({ protocol: /^smtps?$/, error: 'is not an smtp:// or smtps:// URL' }).optional(),
    'none',
    'smtps://user:password@mail.example.com:465',
    'The mail server for environments that have none of their own. `smtps` is TLS from the first byte; `smtp` asks for STARTTLS, and with `?tls=off` sends in clear. This one may stand in a private network.',
  ),
  INLAY_MAIL_FROM: setting(
    z
      .string()
      .refine((text) => isMailbox(text), 'is not an e-mail address')
      .optional(),
    'none',
    'Inlay <no-reply@example.com>',
    'The sender of everything that goes through INLAY_SMTP_URL; needed with it.',
  ),
  INLAY_CHROMIUM: setting(
    z
      .string()
      .refine((text) => path.isAbsolute(text), 'is not an absolute path')
      .optional(),
    'none',
    '/usr/bin/chromium',
    'The Chromium that prints HTML and pages for PDF nodes. Without it they only merge.',
  ),
  INLAY_FILE_LIMIT_MB: setting(
    count(1, 100_000).default(1024),
    '1024',
    '1024',
    'The largest file that a workflow may store, in MB.',
  ),
  INLAY_FILE_QUOTA_MB: setting(
    count(0, 1_000_000_000).default(0),
    '0',
    '10240',
    'What one environment of an organization may keep in files, in MB; 0 is no limit.',
  ),
  INLAY_TRUST_PROXY: setting(
    list.pipe(z.array(z.union([z.ipv4(), z.ipv6(), cidr]))).default([]),
    'none',
    '10.0.0.0/8',
    'Addresses of reverse proxies, separated by commas, whose X-Forwarded-For is believed.',
  ),
  INLAY_LOG_LEVEL: setting(
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
    'info',
    'debug',
    'The least severe line that is logged.',
  ),
  INLAY_ACME_PORT: setting(
    port.default(4400),
    '4400',
    '4400',
    'The port of Acme CRM, the example application of the demo.',
  ),
} as const satisfies Record<string, Setting<z.ZodType>>;

type Table = typeof table;
type SettingName = keyof Table;
type Values = { readonly [Name in SettingName]: z.output<Table[Name]['schema']> };

export type Role = 'all' | 'api' | 'worker';

/** Our own OAuth client of an app, offered to organisations as "use our credentials". */
export interface AppCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** The settings of this process, checked and frozen. */
export interface Config {
  readonly role: Role;
  readonly host: string;
  readonly port: number;
  readonly publicUrl: string;
  readonly allowedOrigins: readonly string[];
  readonly dataDir: string;
  /** undefined: the embedded PostgreSQL */
  readonly databaseUrl: string | undefined;
  readonly databasePoolSize: number;
  readonly keyFile: string;
  readonly masterKey: string | undefined;
  readonly egressAllow: readonly string[];
  readonly sessionTokenHours: number;
  readonly signUp: 'open' | 'closed';
  readonly syncTimeoutMs: number;
  /** requests of one credential, and of one linked account; 0 is no limit */
  readonly rateLimitPerMinute: number;
  readonly accountRateLimitPerMinute: number;
  readonly webhookRateLimitPerMinute: number;
  /** origins that may frame the portal */
  readonly frameAncestors: readonly string[];
  readonly workerConcurrency: number;
  /** iterations of loops in one execution */
  readonly batchLimit: number;
  readonly queueMaxAgeHours: number;
  /** how many days logs are kept, and the most that an organisation may choose */
  readonly logRetention: { readonly defaultDays: number; readonly maximumDays: number };
  readonly sandboxProcesses: number;
  readonly codeTimeoutMs: number;
  /** the mail server for environments without one of their own */
  readonly mail: { readonly smtp: SmtpServer; readonly from: string } | undefined;
  /** path of the browser that prints PDFs */
  readonly chromium: string | undefined;
  /** the largest file, and what an environment may keep (0: no limit), in bytes */
  readonly fileLimitBytes: number;
  readonly fileQuotaBytes: number;
  readonly trustProxy: readonly string[];
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly acmePort: number;
  readonly demo: boolean;
  /** by app slug */
  readonly appCredentials: Readonly<Record<string, AppCredentials>>;
}

/** What the command line may say; it wins over the environment. */
export interface Flags {
  readonly role?: string | undefined;
  readonly port?: string | undefined;
  readonly demo?: boolean | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads all settings.
 *
 * @throws StartupError that names every wrong variable at once, with a value that would be right
 */
export function loadConfig(flags: Flags = {}, environment: Environment = process.env): Config {
  const given: Environment = {
    ...environment,
    ...(flags.role === undefined ? {} : { INLAY_ROLE: flags.role }),
    ...(flags.port === undefined ? {} : { INLAY_PORT: flags.port }),
  };
  const problems = unknownNames(given);
  const values: Record<string, unknown> = {};
  for (const [name, { schema, example }] of Object.entries<Setting<z.ZodType>>(table)) {
    const text = given[name];
    // An empty variable is how compose files and CI write "not set".
    const result = schema.safeParse(text === '' ? undefined : text);
    if (result.success) values[name] = result.data;
    else problems.push(problem(name, text, firstMessage(result.error), example));
  }
  const appCredentials = readAppCredentials(given, problems);
  if ((values['INLAY_SMTP_URL'] === undefined) !== (values['INLAY_MAIL_FROM'] === undefined)) {
    problems.push('INLAY_SMTP_URL and INLAY_MAIL_FROM go together: set both, or neither.');
  }
  const { INLAY_LOG_RETENTION_DAYS: days, INLAY_LOG_RETENTION_MAX_DAYS: most } = values as Partial<Values>;
  if (days !== undefined && most !== undefined && days > most) {
    problems.push(
      `INLAY_LOG_RETENTION_DAYS "${days}" is more than INLAY_LOG_RETENTION_MAX_DAYS "${most}". Lower the one, or raise the other.`,
    );
  }
  if (problems.length > 0) {
    throw new StartupError(
      `Inlay cannot start with these settings:\n${problems.map((p) => `  - ${p}`).join('\n')}`,
    );
  }
  return shape(values as Values, flags.demo ?? true, appCredentials);
}

function shape(values: Values, demo: boolean, appCredentials: Config['appCredentials']): Config {
  const acmeCrm = [`127.0.0.1:${values.INLAY_ACME_PORT}`, `[::1]:${values.INLAY_ACME_PORT}`];
  return deepFreeze({
    role: values.INLAY_ROLE,
    host: values.INLAY_HOST,
    port: values.INLAY_PORT,
    publicUrl: new URL(values.INLAY_PUBLIC_URL ?? `http://localhost:${values.INLAY_PORT}`).origin,
    allowedOrigins: values.INLAY_ALLOWED_ORIGINS.map((origin) =>
      origin === '*' ? origin : new URL(origin).origin,
    ),
    dataDir: values.INLAY_DATA_DIR,
    databaseUrl: values.DATABASE_URL,
    databasePoolSize: values.INLAY_DATABASE_POOL,
    keyFile: values.INLAY_KEY_FILE ?? path.join(values.INLAY_DATA_DIR, 'keys.json'),
    masterKey: values.INLAY_MASTER_KEY,
    egressAllow: demo ? [...values.INLAY_EGRESS_ALLOW, ...acmeCrm] : values.INLAY_EGRESS_ALLOW,
    sessionTokenHours: values.INLAY_SESSION_TOKEN_HOURS,
    signUp: values.INLAY_SIGN_UP,
    syncTimeoutMs: values.INLAY_SYNC_TIMEOUT_S * 1000,
    rateLimitPerMinute: values.INLAY_RATE_LIMIT,
    accountRateLimitPerMinute: values.INLAY_ACCOUNT_RATE_LIMIT,
    webhookRateLimitPerMinute: values.INLAY_WEBHOOK_RATE_LIMIT,
    frameAncestors: values.INLAY_FRAME_ANCESTORS.map((origin) => new URL(origin).origin),
    workerConcurrency: values.INLAY_WORKER_CONCURRENCY,
    batchLimit: values.INLAY_BATCH_LIMIT,
    queueMaxAgeHours: values.INLAY_QUEUE_MAX_AGE_H,
    logRetention: {
      defaultDays: values.INLAY_LOG_RETENTION_DAYS,
      maximumDays: values.INLAY_LOG_RETENTION_MAX_DAYS,
    },
    sandboxProcesses: values.INLAY_SANDBOX_PROCESSES,
    codeTimeoutMs: values.INLAY_CODE_TIMEOUT_S * 1000,
    mail: mailOf(values),
    chromium: values.INLAY_CHROMIUM,
    fileLimitBytes: values.INLAY_FILE_LIMIT_MB * megabyte,
    fileQuotaBytes: values.INLAY_FILE_QUOTA_MB * megabyte,
    trustProxy: values.INLAY_TRUST_PROXY,
    logLevel: values.INLAY_LOG_LEVEL,
    acmePort: values.INLAY_ACME_PORT,
    demo,
    appCredentials,
  });
}

function isMailbox(text: string): boolean {
  const found = readAddresses(text);
  return typeof found !== 'string' && found.length === 1;
}

function mailOf({ INLAY_SMTP_URL: text, INLAY_MAIL_FROM: from }: Values): Config['mail'] {
  if (text === undefined || from === undefined) return undefined;
  const url = new URL(text);
  const isTls = url.protocol === 'smtps:';
  return {
    smtp: {
      host: url.hostname.replaceAll(/^\[|\]$/g, ''),
      port: url.port === '' ? (isTls ? 465 : 587) : Number(url.port),
      security: isTls ? 'tls' : url.searchParams.get('tls') === 'off' ? 'none' : 'starttls',
      ...(url.username !== '' && {
        username: decodeURIComponent(url.username),
        password: decodeURIComponent(url.password),
      }),
    },
    from,
  };
}

/** Credentials may stand in a URL, so a wrong value of these is never repeated. */
const secretNames: ReadonlySet<string> = new Set(['DATABASE_URL', 'INLAY_MASTER_KEY', 'INLAY_SMTP_URL']);

function problem(name: string, text: string | undefined, reason: string, example: string): string {
  const seen = text === undefined || secretNames.has(name) ? '' : ` "${text}"`;
  return `${name}${seen} ${reason}. For example: ${name}=${example}`;
}

function firstMessage(error: z.ZodError): string {
  const message = error.issues[0]?.message ?? 'is not accepted';
  return message.startsWith('Invalid') || message.startsWith('Too')
    ? `is not accepted (${message.charAt(0).toLowerCase()}${message.slice(1)})`
    : message;
}

const appVariable = /^INLAY_APP_([A-Z0-9]+(?:_[A-Z0-9]+)*?)_(CLIENT_ID|CLIENT_SECRET)$/;

/** INLAY_APP_<SLUG>_CLIENT_ID and _CLIENT_SECRET; a dash of the slug is written as an underscore. */
function readAppCredentials(environment: Environment, problems: string[]): Config['appCredentials'] {
  const found = new Map<string, { CLIENT_ID?: string; CLIENT_SECRET?: string }>();
  for (const [name, value] of Object.entries(environment)) {
    const [, app, part] = appVariable.exec(name) ?? [];
    if (app === undefined || value === undefined || value === '') continue;
    if (!refuseExample(value)) {
      problems.push(`${name} is an example value. Enter what the provider shows for your OAuth client.`);
    }
    found.set(app, { ...found.get(app), [part as 'CLIENT_ID' | 'CLIENT_SECRET']: value });
  }
  const credentials: Record<string, AppCredentials> = Object.create(null) as Record<string, AppCredentials>;
  for (const [app, { CLIENT_ID, CLIENT_SECRET }] of found) {
    if (CLIENT_ID === undefined || CLIENT_SECRET === undefined) {
      const missing = CLIENT_ID === undefined ? 'CLIENT_ID' : 'CLIENT_SECRET';
      problems.push(`INLAY_APP_${app}_${missing} is missing: client id and client secret go together.`);
    } else {
      credentials[app.toLowerCase().replaceAll('_', '-')] = {
        clientId: CLIENT_ID,
        clientSecret: CLIENT_SECRET,
      };
    }
  }
  return credentials;
}

/** A misspelt setting would silently do nothing. */
function unknownNames(environment: Environment): string[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith('INLAY_') && !(name in table) && !appVariable.test(name))
    .filter((name) => !name.startsWith('INLAY_TEST_') && !name.startsWith('INLAY_BENCH_'))
    .map((name) => `${name} is not a setting of Inlay. See docs/settings.md for their names.`);
}

function deepFreeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null) deepFreeze(member as object);
  }
  return Object.freeze(value);
}

/** The text of `docs/settings.md`. */
export function settingsReference(): string {
  const rows = Object.entries<Setting<z.ZodType>>(table).map(
    ([name, { fallback, example, help }]) => `| \`${name}\` | ${help} | \`${fallback}\` | \`${example}\` |`,
  );
  return [
    '# Settings',
    '',
    '<!-- Generated from packages/server/src/config.ts by `npm run docs`; a test keeps it equal. -->',
    '',
    'Inlay reads environment variables, all at start. A wrong or unknown one stops it with a sentence that names it.',
    'An empty variable counts as unset. Relative folders start at the checkout.',
    '',
    '| Variable | What it sets | Default | Example |',
    '| --- | --- | --- | --- |',
    ...rows,
    '| `INLAY_APP_<SLUG>_CLIENT_ID`, `INLAY_APP_<SLUG>_CLIENT_SECRET` | Your own OAuth client of an app, offered in the dashboard as "use our credentials". A dash of the app\'s slug is written as an underscore. | `none` | `INLAY_APP_GONG_CLIENT_ID=abc` |',
    '',
    '## Flags of `npm start`',
    '',
    '| Flag | What it does |',
    '| --- | --- |',
    '| `--no-demo` | starts without Acme CRM, and keeps this machine closed to connectors |',
    '| `--role api`, `--role worker`, `--role all` | as `INLAY_ROLE` |',
    '| `--port 4000` | as `INLAY_PORT` |',
    '',
    'Flags come after two dashes: `npm start -- --no-demo`.',
    '',
  ].join('\n');
}
