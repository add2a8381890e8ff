import { z } from 'zod';

const mostFields = 20;

/** Values of an execution that lists show and search: `settings.custom_fields` of a workflow, a template each. */
export const customFieldsSchema = z
  .record(
    z
      .string()
      .regex(
        /^[A-Za-z_][A-Za-z0-9_ -]{0,63}$/,
        'is not a name: it begins with a letter and has at most 64 letters, digits, spaces, "_" or "-"',
      ),
    z.string('must be a template, such as "{{event.order.id}}"').max(1_000, 'may have 1000 characters'),
    'must be an object of templates, such as {"order": "{{event.order.id}}"}',
  )
  .refine((fields) => Object.keys(fields).length <= mostFields, `may have ${mostFields} fields`);

/** The fields of a workflow. The document was validated when it was saved. */
export function readCustomFields(
  settings: Readonly<Record<string, unknown>>,
): Readonly<Record<string, string>> {
  const given = settings['custom_fields'];
  return given === undefined || given === null ? {} : customFieldsSchema.parse(given);
}
