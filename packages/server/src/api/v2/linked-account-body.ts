import { z } from 'zod';
import type { LinkedAccountInput } from '#connections/index';
import { AppError } from '#domain/errors';

/** Ids are texts; companies whose ids are numbers send them as such. */
export const accountIdText = z
  .union([z.string().max(512, 'is longer than 512 characters'), z.number()])
  .transform(String)
  // Every HTTP client resolves these two away when they stand in a path (RFC 3986 §5.2.4).
  .refine((id) => id !== '.' && id !== '..', 'cannot be "." or "..": no URL can name such an account')
  .describe('The id of your customer: any text, unique in the environment.');

const keyValueList = z.array(z.object({ key_name: z.string().min(1), key_value: z.unknown() }));
const primitive = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const fields = {
  linked_account_id: accountIdText.optional(),
  account_id: accountIdText.optional(),
  name: z.string().max(500).optional(),
  udf: z
    .union([z.record(z.string(), primitive), keyValueList])
    .optional()
    .describe('Fields of your own: `{name: value}`. `null` removes one.'),
  your_app: z
    .object({
      app_id: z.string().optional(),
      auth_credentials: z.union([z.record(z.string(), z.string()), keyValueList]),
    })
    .optional()
    .describe("This customer's credentials for your own API; stored encrypted."),
  scope: z.string().max(200).optional(),
};

/** Unknown fields are kept. */
export const linkedAccountBody = z.looseObject(fields);
type LinkedAccountBody = z.output<typeof linkedAccountBody>;

export const upsertBody = z.looseObject({
  ...fields,
  payload: linkedAccountBody.optional().describe('The same fields again; these win.'),
});

/** The id that the body names, if any; `account_id` wins over `linked_account_id`. */
export function bodyAccountId(body: LinkedAccountBody): string | undefined {
  const id = body.account_id ?? body.linked_account_id;
  return id === undefined || id.trim() === '' ? undefined : id;
}

/** @throws duplicate_key_name, invalid_request */
export function linkedAccountInput(body: LinkedAccountBody): LinkedAccountInput {
  const { linked_account_id: _id, account_id: _alias, name, udf, your_app, scope, ...extra } = body;
  return {
    name,
    scope,
    udf: udf && checkedUdf(keyValues(udf, 'Udf')),
    orgCredentials: your_app && checkedCredentials(keyValues(your_app.auth_credentials, 'Auth')),
    extra,
  };
}

function keyValues(
  given: Readonly<Record<string, unknown>> | z.output<typeof keyValueList>,
  kind: 'Auth' | 'Udf',
): Record<string, unknown> {
  if (!Array.isArray(given)) return { ...given };
  const names = given.map((item) => item.key_name);
  if (new Set(names).size < names.length) throw new AppError('duplicate_key_name', { kind });
  return Object.fromEntries(given.map((item) => [item.key_name, item.key_value]));
}

function checkedUdf(values: Record<string, unknown>): NonNullable<LinkedAccountInput['udf']> {
  return check(z.record(z.string(), primitive), values, 'udf');
}

function checkedCredentials(values: Record<string, unknown>): Record<string, string> {
  return check(z.record(z.string(), z.string()), values, 'your_app.auth_credentials');
}

function check<T>(schema: z.ZodType<T>, values: unknown, path: string): T {
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => ({
    path: `${path}.${issue.path.join('.')}`,
    message: issue.message,
  }));
  throw new AppError('invalid_request', { problems });
}
