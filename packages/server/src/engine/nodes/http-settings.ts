import { z } from 'zod';
import { isForbiddenName } from '#domain/exact-json';
import { pagination } from '#domain/paging';
import { asText } from '#domain/template';
import { flag, lifetime, lifetimeOf } from '#engine/nodes/settings';

const pairs = z.array(
  z.looseObject({ key: z.string().optional(), name: z.string().optional(), value: z.unknown() }),
);
/** `{name: value}`, or a list of `{key, value}`; empty values are left out (spec/workflows §10.4). */
export const texts = z
  .union([z.record(z.string(), z.unknown()), pairs])
  .nullish()
  .transform((given): [string, string][] => {
    const entries: [string, unknown][] = Array.isArray(given)
      ? given.map(({ key, name, value }) => [key ?? name ?? '', value])
      : Object.entries(given ?? {});
    return entries
      .filter(([name]) => name !== '' && !isForbiddenName(name))
      .map(([name, value]): [string, string] => [name, asText(value)])
      .filter(([, value]) => value !== '');
  });

const pem = z
  .string()
  .transform((text) => text.trim())
  .optional();

/** Settings of the HTTP node, checked and completed. */
export const httpSettings = z
  .looseObject({
    method: z
      .string()
      .default('GET')
      .transform((method) => method.toUpperCase())
      .pipe(
        z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], { error: 'use GET, POST, PUT, PATCH or DELETE' }),
      ),
    url: z.string().optional(),
    base_url: z.string().optional().describe('With `path`, in place of `url`'),
    path: z.string().optional().describe('With `base_url`'),
    query: texts,
    headers: texts,
    body: z.unknown().optional(),
    body_type: z
      .string()
      .default('json')
      .transform((type) => type.toLowerCase().replaceAll(/[^a-z]/g, ''))
      .pipe(
        z.enum(['json', 'html', 'xml', 'text', 'formdata', 'urlencoded'], {
          error: 'use json, html, xml, text, form-data or urlencoded',
        }),
      ),
    pagination: z.preprocess((given) => (given === '' ? undefined : given), pagination.nullish()),
    response_type: z
      .string()
      .default('default')
      .transform((type) => type.toLowerCase())
      .pipe(z.enum(['default', 'stream'], { error: 'use default or stream' }))
      .describe('`stream` keeps the response as a file, too'),
    save_to_file: flag(false),
    file_name: z.string().optional(),
    ...lifetime,
    mtls: flag(false),
    client_certificate: pem,
    client_key: pem,
    client_key_passphrase: z.string().optional(),
    trust_store: pem,
  })
  .transform((given, ctx) => {
    const refuse = (field: string, message: string): never => {
      ctx.addIssue({ code: 'custom', path: [field], message });
      return z.NEVER;
    };
    const written = given.url ?? `${given.base_url ?? ''}${given.path ?? ''}`;
    if (!URL.canParse(written) || !/^https?:/i.test(written)) {
      return refuse('url', `"${written.slice(0, 200)}" is not an http(s) address`);
    }
    const { client_certificate: cert, client_key: key, trust_store: ca } = given;
    if (given.mtls && (!cert || !key)) {
      return refuse(cert ? 'client_key' : 'client_certificate', 'is required for mTLS, as PEM text');
    }
    const url = new URL(written);
    for (const [name, value] of given.query) url.searchParams.append(name, value);
    const isPaged =
      given.pagination !== undefined && given.pagination !== null && given.pagination.type !== 'none';
    const isSaved = given.save_to_file || given.response_type === 'stream';
    if (isPaged && isSaved) {
      return refuse('pagination', 'cannot go together with a response that is kept as a file');
    }
    return {
      method: given.method,
      url,
      headers: given.headers,
      body: given.body,
      bodyType: given.body_type,
      pagination: isPaged ? (given.pagination ?? undefined) : undefined,
      file: isSaved ? { name: given.file_name || undefined, ...lifetimeOf(given) } : undefined,
      tls:
        given.mtls || ca
          ? {
              ...(given.mtls && { cert, key, passphrase: given.client_key_passphrase || undefined }),
              ...(ca && { ca }),
            }
          : undefined,
    };
  });

export type HttpSettings = z.infer<typeof httpSettings>;
