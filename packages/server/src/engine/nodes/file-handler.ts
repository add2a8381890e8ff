import path from 'node:path';
import { z } from 'zod';
import { AppError } from '#domain/errors';
import { optionalNumber } from '#domain/optional-number';
import { done, nodeType, type NodeContext, type NodeOutcome } from '#engine/nodes/node-type';
import { flag, lifetime, lifetimeOf } from '#engine/nodes/settings';
import {
  archiveKind,
  limited,
  readAll,
  unpacked,
  type SftpServer,
  type SftpSession,
  type WrittenFile,
} from '#files/index';

/** What `read` returns inside the run; base64 makes it a third larger. */
const readLimitBytes = 5 * 1024 * 1024;
const transferLimitBytes = 100 * 1024 * 1024 * 1024;
const stagedTtlS = 3 * 3600;

const operations = {
  transfer_to_sftp: 'Transfer to SFTP',
  store: 'Transfer to the file store',
  read: 'Read',
  delete: 'Delete',
  list: 'List folder',
  extract: 'Extract on the server',
} as const;
type Operation = keyof typeof operations;
const operationNames = Object.keys(operations) as [Operation, ...Operation[]];

const optionalText = z
  .string()
  .nullish()
  .transform((text) => (text === '' || text == null ? undefined : text));

const serverForm = z
  .looseObject({
    host: z
      .string({ error: 'is missing' })
      .trim()
      .regex(/^[\w.:-]{1,253}$/, 'is not a host name'),
    port: optionalNumber(1, 65_535),
    username: optionalText,
    user: optionalText,
    password: optionalText,
    private_key: optionalText,
    passphrase: optionalText,
    host_key: optionalText.refine(
      (text) => text === undefined || /^(SHA256:)?[A-Za-z0-9+/]{43}=?$/.test(text),
      {
        message: 'is not a fingerprint such as "SHA256:…", as ssh-keygen -l shows it',
      },
    ),
  })
  .transform((given, ctx): SftpServer => {
    const username = given.username ?? given.user;
    const issue = (at: string, message: string): void =>
      ctx.addIssue({ code: 'custom', path: [at], message });
    if (username === undefined) issue('username', 'is missing');
    if (given.password === undefined && given.private_key === undefined)
      issue('password', 'give a password or a private_key');
    return {
      host: given.host,
      port: given.port ?? 22,
      username: username ?? '',
      password: given.password,
      privateKey: given.private_key?.replaceAll('\\n', '\n'),
      passphrase: given.passphrase,
      hostKey: given.host_key,
    };
  });
const server = z.preprocess(
  (given) => (given === '' || given === null ? undefined : given),
  serverForm.optional(),
);

const remotePath = optionalText.refine(
  (text) => text === undefined || (text.length <= 1000 && !/\p{Cc}/u.test(text)),
  'is not a path',
);

const settings = z
  .looseObject({
    operation: z.enum(operationNames, { error: `use one of ${operationNames.join(', ')}` }),
    file_url: optionalText,
    sftp: server,
    path: remotePath,
    source_sftp: server,
    source_path: remotePath,
    name: optionalText,
    extract: flag(false),
    ...lifetime,
  })
  .superRefine((given, ctx) => {
    const missing = (field: string, message: string): void =>
      ctx.addIssue({ code: 'custom', path: [field], message });
    const isRemote = ['transfer_to_sftp', 'list', 'extract'].includes(given.operation);
    if (isRemote && given.sftp === undefined) missing('sftp', 'is the server, and is missing');
    if (isRemote && given.path === undefined) missing('path', 'is a path on the server, and is missing');
    const hasFile = given.file_url !== undefined;
    if (
      given.operation === 'transfer_to_sftp' &&
      !hasFile &&
      (given.source_sftp === undefined || given.source_path === undefined)
    ) {
      missing('file_url', 'name a file, or a source_sftp and a source_path');
    }
    const takesEither = ['store', 'read', 'delete'].includes(given.operation);
    if (takesEither && !hasFile && (given.sftp === undefined || given.path === undefined)) {
      missing('file_url', 'name a file, or a server in sftp and a path on it');
    }
    const archive = given.operation === 'extract' ? given.path : (given.source_path ?? given.path);
    if (given.operation === 'extract' && archive !== undefined && archiveKind(archive) === undefined) {
      missing('path', 'is not a .zip, .tar, .tgz, .tar.gz or .gz file');
    }
  });

type HandlerSettings = z.infer<typeof settings>;

const hidden = (given: SftpServer | undefined): object | undefined =>
  given === undefined
    ? undefined
    : {
        host: given.host,
        port: given.port,
        username: given.username,
        ...(given.password !== undefined && { password: '[REDACTED]' }),
        ...(given.privateKey !== undefined && { private_key: '[REDACTED]' }),
        ...(given.hostKey !== undefined && { host_key: given.hostKey }),
      };

/** Moves files of any size between SFTP servers, addresses and the file store: always in a stream. */
export const fileHandler = nodeType<HandlerSettings>({
  type: 'file_handler',
  label: 'File Handler',
  group: 'data',
  help: 'Transfers files between SFTP servers, URLs and the file store, and unpacks archives.',
  reference: {
    output:
      'Of a stored file `{file_url, file_id, file_name, file_size, created_at, expires_at}`; `read` gives `content` as base64, `list` `{path, files, file_count}`, `delete` `{deleted}`, transfers `{transferred, path, file_name, file_size}`.',
    errors:
      'A server that refuses or whose host key is another; paths and files that do not exist; archives that are none; more than 5 MB for `read`.',
    effect: 'listing and reading are `read`, everything else is `repeatable`.',
  },
  // Writing the same file to the same place, or deleting it, is harmless when it happens twice.
  effect: ({ operation }) => (operation === 'list' || operation === 'read' ? 'read' : 'repeatable'),
  fields: {
    operation: {
      type: 'select',
      label: 'Operation',
      required: true,
      options: Object.entries(operations).map(([value, name]) => ({ name, value })),
    },
    file_url: { type: 'text', label: 'File', help: 'URL or id of a file.' },
    sftp: {
      type: 'map',
      label: 'SFTP server',
      help: 'host, port (22), username, password or private_key and passphrase, host_key (SHA256 fingerprint).',
    },
    path: { type: 'text', label: 'Path on the server' },
    source_sftp: { type: 'map', label: 'Server to transfer from' },
    source_path: { type: 'text', label: 'Path to transfer from' },
    name: { type: 'text', label: 'File name' },
    extract: {
      type: 'boolean',
      label: 'Extract',
      default: false,
      help: 'On: a zip, tar, tgz or gz archive is unpacked on the way.',
    },
    ttl: { type: 'number', label: 'File lives (seconds)', help: 'Empty: a week.' },
    infinite_expiry: { type: 'boolean', label: 'File never expires', default: false },
  },
  settings,
  logged: ({ sftp, source_sftp, ...shown }) => ({
    ...shown,
    sftp: hidden(sftp),
    source_sftp: hidden(source_sftp),
  }),
  run: (given, ctx) => handlers[given.operation](given, ctx),
});

type Handle = (given: HandlerSettings, ctx: NodeContext) => Promise<NodeOutcome>;

const handlers: Readonly<Record<Operation, Handle>> = {
  transfer_to_sftp: (given, ctx) =>
    withSource(given, ctx, given.source_sftp, given.source_path, async (source) => {
      const to = given.path ?? '';
      return ctx.services.sftp(given.sftp!, ctx.signal, async (session) => {
        if (given.extract) return unpackTo(session, to, source, ctx);
        const target = to.endsWith('/') ? `${to}${given.name ?? source.name}` : to;
        const size = await session.write(target, source.bytes);
        return done({
          transferred: true,
          path: target,
          file_name: path.posix.basename(target),
          file_size: size,
        });
      });
    }),
  store: (given, ctx) =>
    withSource(given, ctx, given.sftp, given.path, async (source) => {
      if (!given.extract)
        return done(shown(await keep(given, ctx, given.name ?? source.name, source.bytes, '')));
      const files: object[] = [];
      for await (const entry of await opened(source, ctx)) {
        files.push(shown(await keep(given, ctx, entry.path, entry.bytes, `:${files.length}`)));
      }
      return done({ files, file_count: files.length });
    }),
  read: (given, ctx) =>
    withSource(given, ctx, given.sftp, given.path, async (source) => {
      const content = await readAll(limited(source.bytes, readLimitBytes, source.name));
      return done({
        content: content.toString('base64'),
        file_name: source.name,
        file_size: content.length,
        content_type: source.contentType,
      });
    }),
  async delete(given, ctx) {
    if (given.file_url === undefined) {
      const isDeleted = await ctx.services.sftp(given.sftp!, ctx.signal, async (session) => {
        await session.remove(given.path!);
        return true;
      });
      return done({ deleted: isDeleted, path: given.path });
    }
    const within = { linkedAccountId: ctx.linkedAccount.id };
    const { files } = ctx.services;
    const byName = await files.named(ctx.tenant, within.linkedAccountId, given.file_url);
    const ids = files.isOurLink(given.file_url)
      ? [(await files.read(ctx.tenant, given.file_url)).id]
      : byName.length > 0
        ? byName.map(({ id }) => id)
        : [given.file_url];
    let deleted = 0;
    for (const id of ids) if (await files.delete(ctx.tenant, id, within)) deleted += 1;
    return done({ deleted: deleted > 0, file_count: deleted });
  },
  async list(given, ctx) {
    const entries = await ctx.services.sftp(given.sftp!, ctx.signal, (session) => session.list(given.path!));
    const files = entries.map(({ name, type, size, modifiedAt }) => ({
      name,
      path: path.posix.join(given.path!, name),
      type,
      size,
      modified_at: modifiedAt.toISOString(),
    }));
    return done({ path: given.path, files, file_count: files.length });
  },
  extract: (given, ctx) =>
    withSource(given, ctx, given.sftp, given.path, (source) =>
      ctx.services.sftp(given.sftp!, ctx.signal, (session) =>
        unpackTo(session, path.posix.dirname(given.path!), source, ctx),
      ),
    ),
};

interface Source {
  readonly name: string;
  readonly contentType: string;
  readonly bytes: AsyncIterable<Buffer>;
}

/** Opens what is to be moved, from a server or from anywhere else, for as long as `work` takes. */
async function withSource(
  given: HandlerSettings,
  ctx: NodeContext,
  from: SftpServer | undefined,
  at: string | undefined,
  work: (source: Source) => Promise<NodeOutcome>,
): Promise<NodeOutcome> {
  if (given.file_url !== undefined) {
    const options = {
      linkedAccountId: ctx.linkedAccount.id,
      signal: ctx.signal,
      limitBytes: transferLimitBytes,
    };
    return work(await ctx.services.openSource(ctx.tenant, given.file_url, options));
  }
  return ctx.services.sftp(from!, ctx.signal, (session) =>
    work({
      name: path.posix.basename(at!),
      contentType: 'application/octet-stream',
      bytes: session.read(at!),
    }),
  );
}

/** The files of an archive. It is stored for the while: a zip is read from its end. */
async function opened(source: Source, ctx: NodeContext): Promise<ReturnType<typeof unpacked>> {
  const kind = archiveKind(source.name);
  if (kind === undefined) {
    throw new AppError('file_content_invalid', {
      name: source.name,
      format: 'archive',
      reason: 'its name does not end in .zip, .tar, .tgz, .tar.gz or .gz',
    });
  }
  const staged = {
    name: source.name,
    contentType: source.contentType,
    ttlS: stagedTtlS,
    linkedAccountId: ctx.linkedAccount.id,
    writeKey: `${ctx.idempotencyKey}:archive`,
  };
  const { id } = await ctx.services.files.write(ctx.tenant, staged, source.bytes);
  const file = await ctx.services.files.read(ctx.tenant, id);
  const archive = {
    size: file.size,
    range: (start: number, end: number) => file.bytes({ start, end }),
  };
  async function* files(): ReturnType<typeof unpacked> {
    try {
      yield* unpacked(archive, kind!, source.name);
    } finally {
      await ctx.services.files.delete(ctx.tenant, id);
    }
  }
  return files();
}

async function unpackTo(
  session: SftpSession,
  folder: string,
  source: Source,
  ctx: NodeContext,
): Promise<NodeOutcome> {
  const files: { path: string; file_size: number }[] = [];
  const made = new Set<string>();
  for await (const entry of await opened(source, ctx)) {
    const target = path.posix.join(folder, entry.path);
    const parent = path.posix.dirname(target);
    if (!made.has(parent)) await session.makeFolders(parent);
    made.add(parent);
    files.push({ path: target, file_size: await session.write(target, entry.bytes) });
  }
  return done({ extracted: true, folder, files, file_count: files.length });
}

function keep(
  given: HandlerSettings,
  ctx: NodeContext,
  name: string,
  bytes: AsyncIterable<Buffer>,
  part: string,
): Promise<WrittenFile> {
  const file = {
    name,
    contentType: 'application/octet-stream',
    linkedAccountId: ctx.linkedAccount.id,
    writeKey: `${ctx.idempotencyKey}${part}`,
    ...lifetimeOf(given),
  };
  return ctx.services.files.write(ctx.tenant, file, bytes);
}

function shown({ url, id, name, size, createdAt, expiresAt }: WrittenFile): object {
  return {
    file_url: url,
    file_id: id,
    file_name: name,
    file_size: size,
    created_at: createdAt.toISOString(),
    expires_at: expiresAt?.toISOString() ?? null,
  };
}
