import type { CustomPoll, Pages } from '@inlay/connectors/kit';
import { z } from 'zod';
import { pollIntervals } from '#domain/poll-spec';
import { isSecretName } from '#domain/secret-name';

const path = z.string().min(1).max(200);
const texts = z.record(z.string().max(200), z.string().max(2_000));

const pagination = z.discriminatedUnion('type', [
  z.object({ type: z.literal('none') }),
  z.object({ type: z.literal('cursor'), next_path: path, send_as: path }),
  z.object({ type: z.literal('next_url'), next_path: path }),
  z.object({ type: z.literal('link') }),
  z.object({
    type: z.literal('page'),
    page_key: path,
    start: z.int().min(0).default(1),
    size: z.int().min(1).max(1_000),
    size_key: path.optional(),
  }),
  z.object({
    type: z.literal('offset'),
    offset_key: path,
    size: z.int().min(1).max(1_000),
    size_key: path.optional(),
  }),
]);

/** A custom polling trigger on the wire. */
export const customPollBody = z.object({
  name: z.string().trim().min(1).max(200),
  path: z.string().min(1).max(2_000).describe('From the base URL of the app; may hold [[from]] and [[to]]'),
  query: texts.default({}).describe('May hold [[from]] and [[to]], the times of the window'),
  headers: texts
    .refine((given) => Object.keys(given).every((name) => !isSecretName(name)), {
      message: 'the credential is that of the connection: leave it out',
    })
    .default({}),
  time_format: z.enum(['iso', 'unix', 'unix_ms', 'rfc']).default('iso'),
  items_path: path.describe('Where the records are in the answer: `data`, `result.rows`'),
  dedupe_field: path.describe('What tells records apart: `id`'),
  version_field: path.optional().describe('What changes with each change of a record: `updated_at`'),
  min_interval: z
    .int()
    .refine((minutes) => pollIntervals.includes(minutes), { message: `use ${pollIntervals.join(', ')}` })
    .default(5)
    .describe('Minutes that workflows leave at least between two polls'),
  overlap_minutes: z
    .int()
    .min(0)
    .max(7 * 1_440)
    .default(5)
    .describe('How much further back than the last poll each one asks'),
  pagination: pagination.default({ type: 'none' }),
});

/** A stored definition as the connector kit takes it. */
export function readCustomPoll(raw: unknown): CustomPoll {
  const read = customPollBody.parse(raw);
  const pages = pagesOf(read.pagination);
  return {
    name: read.name,
    path: read.path,
    query: read.query,
    headers: read.headers,
    format: read.time_format,
    items: read.items_path,
    ...(pages !== undefined && { pages }),
    dedupeField: read.dedupe_field,
    ...(read.version_field !== undefined && { versionField: read.version_field }),
    everyMinutes: read.min_interval,
    overlapMinutes: read.overlap_minutes,
  };
}

function pagesOf(given: z.output<typeof pagination>): Pages | undefined {
  switch (given.type) {
    case 'cursor':
      return { next: given.next_path, sendAs: given.send_as };
    case 'next_url':
      return { nextUrl: given.next_path };
    case 'link':
      return { link: 'next' };
    case 'page':
      return { page: given.page_key, first: given.start, size: given.size, ...sizeAs(given.size_key) };
    case 'offset':
      return { offset: given.offset_key, size: given.size, ...sizeAs(given.size_key) };
    case 'none':
    default:
      return undefined;
  }
}

function sizeAs(key: string | undefined) {
  return key === undefined ? {} : { sizeAs: key };
}
