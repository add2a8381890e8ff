import { z } from 'zod';
import { AppError } from '#domain/errors';

/** `custom_field=order:4711`, once or several times: all must hold. */
export const customFieldTerms = z
  .union([z.string(), z.array(z.string()).max(20)])
  .optional()
  .describe(
    '`name:value` of a custom field, whole and exact; may be given several times, and all must hold.',
  );

/** @throws AppError `invalid_request` for a term without a name */
export function readCustomFieldTerms(
  terms: z.output<typeof customFieldTerms>,
): Readonly<Record<string, string>> | undefined {
  const written = [terms ?? []].flat().filter((term) => term !== '');
  if (written.length === 0) return undefined;
  return Object.fromEntries(
    written.map((term) => {
      const colon = term.indexOf(':');
      if (colon < 1) {
        const message = `"${term}" is not "name:value"; write custom_field=order:4711`;
        throw new AppError('invalid_request', { problems: [{ path: 'custom_field', message }] });
      }
      return [term.slice(0, colon), term.slice(colon + 1)];
    }),
  );
}
