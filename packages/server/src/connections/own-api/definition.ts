import { z } from 'zod';
import { isRecord } from '#domain/exact-json';
import { isSecretSetting, literalSecretsIn } from '#domain/literal-secrets';
import { compileTemplate, pathsIn, templateProblems } from '#domain/template';

/** How the organisation's own API is called: where it is, and how a call proves whose account it is about. */

const texts = z.record(z.string().min(1).max(200), z.string().max(10_000)).default({});

const httpUrl = z
  .url({ protocol: /^https?$/, error: 'is not an http(s) address' })
  .refine((url) => !/[{}?#]|\/\/[^/]*@/.test(url), {
    error: 'is an address without user, query, fragment and variables',
  });

const exchange = z.object({
  method: z.enum(['GET', 'POST', 'PUT'], { error: 'use GET, POST or PUT' }).default('POST'),
  url: httpUrl,
  query: texts,
  headers: texts,
  body: z.unknown().optional(),
  body_type: z.enum(['json', 'form', 'text'], { error: 'use json, form or text' }).default('json'),
  cache_s: z.int().min(0).max(86_400).default(0).describe('How long its answer counts, for each account'),
});

const injection = z.object({
  in: z.enum(['header', 'query', 'body'], { error: 'use header, query or body' }),
  name: z.string().trim().min(1).max(200),
  value: z.string().min(1).max(5_000),
});

export const ownApiDefinition = z
  .object({
    base_url: httpUrl,
    auth: exchange.optional().describe('A request that gives a token for the account'),
    inject: z
      .array(injection)
      .max(20)
      .default([])
      .describe('Reads {{response.token}} and {{linked_account.auth_credentials.key}}'),
  })
  .superRefine(({ auth, inject }, ctx) => {
    for (const path of secretsAsTheyAre(auth, inject)) {
      const message =
        'holds a secret as it is: store it with the linked account, and read {{linked_account.auth_credentials.name}}';
      ctx.addIssue({ code: 'custom', path, message });
    }
    const check = (path: (string | number)[], value: unknown, roots: readonly string[]): void => {
      const broken = templateProblems(value, '');
      const wrong =
        broken.length > 0
          ? broken.map(({ message }) => message)
          : pathsIn(compileTemplate(value))
              .filter(({ root }) => !roots.includes(root))
              .map(({ root }) => `reads {{${root}}}, and may read ${roots.join(' and ')}`);
      for (const message of wrong) ctx.addIssue({ code: 'custom', path, message });
    };
    for (const part of ['query', 'headers', 'body'] as const) {
      check(['auth', part], auth?.[part], ['linked_account']);
    }
    const roots = auth === undefined ? ['linked_account'] : ['linked_account', 'response'];
    inject.forEach(({ value }, at) => check(['inject', at, 'value'], value, roots));
  });

export type OwnApiDefinition = z.output<typeof ownApiDefinition>;

/** The settings are read by every member of the organisation, and are not sealed. */
function secretsAsTheyAre(
  auth: z.output<typeof exchange> | undefined,
  inject: readonly z.output<typeof injection>[],
): (string | number)[][] {
  const named = [
    ...(['query', 'headers'] as const).flatMap((part) =>
      Object.entries(auth?.[part] ?? {}).map(([name, value]) => ({
        name,
        value,
        path: ['auth', part, name],
      })),
    ),
    ...inject.map(({ name, value }, at) => ({ name, value, path: ['inject', at, 'value'] })),
  ];
  const body = isRecord(auth?.body) ? literalSecretsIn(auth.body) : [];
  return [
    ...named
      .filter(({ name, value }) => isSecretSetting(name) && !value.includes('{{'))
      .map(({ path }) => path),
    ...body.map((path) => ['auth', 'body', ...path]),
  ];
}
