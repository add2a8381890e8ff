import { z } from 'zod';
import { isRecord } from '#domain/exact-json';
import { failed, done, nodeType, suspended, type NodeContext } from '#engine/nodes/node-type';
import {
  addresses,
  bodyTypeField,
  isHtml,
  ownServer,
  shownServer,
  smtpField,
} from '#engine/nodes/send-email';
import { type FormField, prefill } from '#human-tasks/index';

const mostFields = 200;
const mostOptions = 500;

const isTrue = z
  .unknown()
  .optional()
  .transform((given) => given === true || (typeof given === 'string' && given.toLowerCase() === 'true'));

/** `"red"` or `{label, value}`. */
const option = z.unknown().transform((given, ctx): { label: string; value: string } => {
  const { label, value } = isRecord(given) ? given : { label: given, value: given };
  const text = (of: unknown): string => (typeof of === 'string' || typeof of === 'number' ? String(of) : '');
  if (text(value) !== '') return { label: text(label) || text(value), value: text(value) };
  ctx.addIssue({ code: 'custom', message: 'write text or {label, value}' });
  return z.NEVER;
});

const field = z
  .looseObject({
    name: z
      .string({ error: 'give the field a name' })
      .regex(/^[A-Za-z_]\w{0,63}$/, 'use letters, digits and _, beginning with a letter'),
    label: z.string().trim().max(500).optional(),
    help: z.string().max(2_000).optional(),
    type: z
      .string({ error: 'use text, number, date, dropdown or radio' })
      .toLowerCase()
      .pipe(
        z.enum(['text', 'number', 'date', 'dropdown', 'radio'], {
          error: 'use text, number, date, dropdown or radio',
        }),
      ),
    required: isTrue,
    read_only: isTrue,
    options: z.array(option).max(mostOptions, `${mostOptions} at most`).nullish(),
    value: z.unknown().optional(),
  })
  .superRefine(({ type, options }, ctx) => {
    const isChoice = type === 'dropdown' || type === 'radio';
    if (isChoice && (options ?? []).length === 0) {
      ctx.addIssue({ code: 'custom', path: ['options'], message: 'list the options to choose from' });
    }
  });

const settings = z
  .looseObject({
    title: z.string({ error: 'name the form' }).trim().min(1, 'name the form').max(300),
    description: z.string().max(10_000).nullish(),
    fields: z
      .array(field, { error: 'list the fields of the form' })
      .min(1, 'list the fields of the form')
      .max(mostFields, `${mostFields} at most`),
    prefill: z
      .record(z.string(), z.unknown(), { error: 'must be an object of field names and values' })
      .nullish(),
    smtp: ownServer,
    from: addresses,
    receivers: addresses,
    subject: z.string({ error: 'write a subject' }).trim().min(1, 'write a subject').max(998),
    body: z
      .string({ error: 'write a body' })
      .includes('[[form_url]]', { error: 'must contain [[form_url]], where the link to the form goes' }),
    body_type: z.enum(['html', 'text', ''], { error: 'use html or text' }).nullish(),
    timeout_minutes: z.coerce
      .number({ error: 'must be a number of minutes' })
      .min(1, { error: 'must be at least 1' })
      .max(43_200, { error: 'must be at most 43200, which is 30 days' }),
  })
  .superRefine((given, ctx) => {
    const wrong = (path: string, message: string): void =>
      ctx.addIssue({ code: 'custom', path: [path], message });
    if (given.receivers.length === 0) wrong('receivers', 'name a receiver');
    if (given.receivers.length > 100) wrong('receivers', 'name 100 receivers at most');
    if (given.from.length > 1) wrong('from', 'name one sender');
    const names = given.fields.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) wrong('fields', `has two fields called "${twice}"`);
  });

type Settings = z.infer<typeof settings>;

/** Mails a link to a form and pauses the execution until somebody sends the form in, or its time is over. */
export const humanTask = nodeType<Settings>({
  type: 'human_task',
  label: 'Human task',
  group: 'control',
  help: 'Mails a link to a form and waits until somebody sends it in.',
  reference: {
    output: 'The answers by field name, and `form_status`: `submitted` or `timed_out`.',
    errors:
      'Fields or a prefill that make no sense, by their names; a mail server that is missing or refuses.',
  },
  // The task remembers what became of its mail, so running the node again mails nothing twice.
  effect: 'repeatable',
  fields: {
    title: { type: 'text', label: 'Title of the form', required: true },
    description: { type: 'textarea', label: 'Description' },
    fields: {
      type: 'json',
      label: 'Fields',
      required: true,
      help: 'A list of {name, label, type, required, read_only, help, options, value}; type is text, number, date, dropdown or radio.',
    },
    prefill: { type: 'map', label: 'Prefill', help: 'Values by field name.' },
    receivers: {
      type: 'text',
      label: 'Receivers',
      required: true,
      help: 'Addresses with commas between them.',
    },
    subject: { type: 'text', label: 'Subject', required: true },
    body: {
      type: 'textarea',
      label: 'Body',
      required: true,
      default: 'Please fill in this form: [[form_url]]',
      help: 'Must contain [[form_url]], where the link goes.',
    },
    body_type: bodyTypeField,
    from: { type: 'text', label: 'From', help: 'Empty: the default sender of your mail settings.' },
    smtp: smtpField,
    timeout_minutes: {
      type: 'number',
      label: 'Give up after (minutes)',
      required: true,
      help: 'Then form_status is "timed_out"; at most 30 days.',
    },
  },
  settings,
  markup: ['body'],
  logged: ({ smtp, ...shown }) => ({ ...shown, ...(smtp !== undefined && { smtp: shownServer(smtp) }) }),
  async run(given, ctx) {
    const fields = given.fields.map(
      ({ name, label, type, help, required, read_only: readOnly, options }): FormField => ({
        name,
        label: label === undefined || label === '' ? name : label,
        type,
        ...(help !== undefined && help !== '' && { help }),
        required,
        readOnly,
        options: type === 'dropdown' || type === 'radio' ? (options ?? []) : [],
      }),
    );
    const own = given.fields
      .filter(({ value }) => value !== undefined)
      .map(({ name, value }) => [name, value]);
    const { values, problems } = prefill(fields, { ...Object.fromEntries(own), ...given.prefill });
    const [problem] = problems;
    if (problem !== undefined) {
      return failed({ message: `prefill.${problem.path} ${problem.message}.`, retry: 'never' });
    }
    const { dueAt, mail } = await ctx.services.humanTasks.open(ctx.tenant, placeOf(ctx), {
      form: { title: given.title, description: given.description ?? '', fields, prefilled: values },
      listedAs: String(ctx.mask(given.title).shown),
      dueAt: new Date(ctx.now.getTime() + given.timeout_minutes * 60_000),
      mail: {
        from: given.from[0],
        to: given.receivers,
        subject: given.subject,
        ...(isHtml(given) ? { html: given.body } : { text: given.body }),
        smtp: given.smtp,
        signal: ctx.signal,
      },
    });
    if (mail.kind === 'not_sent') return failed({ message: mail.message, retry: mail.retry });
    if (mail.kind === 'unknown') {
      ctx.log('warn', 'Nobody can tell whether the mail arrived. It is not sent twice; the form stays open.');
    }
    if (mail.kind === 'sent' && mail.rejected.length > 0) {
      ctx.log('warn', `The mail server refused these receivers: ${mail.rejected.join(', ')}`);
    }
    return suspended({ reason: 'human_task', dueAt });
  },
  async resume(_given, ctx) {
    const end = await ctx.services.humanTasks.settle(ctx.tenant, placeOf(ctx));
    return done(
      end.status === 'SUBMITTED' ? { ...end.values, form_status: 'submitted' } : { form_status: 'timed_out' },
    );
  },
});

function placeOf({ executionId, nodeId, batch }: NodeContext) {
  return { executionId, nodeId, batch };
}
