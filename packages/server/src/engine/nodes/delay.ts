import { z } from 'zod';
import { readBaseDate } from '#engine/nodes/base-date';
import {
  done,
  failed,
  nodeType,
  suspended,
  type NodeContext,
  type NodeOutcome,
} from '#engine/nodes/node-type';

const longestS = 30 * 86_400;

/** A whole number that may come as text, from a template; nothing is 0. */
function whole(most: number): z.ZodType<number> {
  const error = `must be a whole number from 0 to ${most}`;
  return z
    .union(
      [
        z.number(),
        z.string().trim().regex(/^\d*$/, { error }).transform(Number),
        z.null().transform(() => 0),
      ],
      { error },
    )
    .default(0)
    .pipe(z.number({ error }).int({ error }).min(0, { error }).max(most, { error }));
}

const actions: Readonly<Record<string, 'wait_for' | 'wait_till'>> = {
  waitfor: 'wait_for',
  waittill: 'wait_till',
  waituntil: 'wait_till',
};

const sides: Readonly<Record<string, '-' | '+'>> = { '-': '-', before: '-', '+': '+', after: '+' };

const settings = z
  .object({
    action: z.string({ error: 'choose "wait_for" or "wait_till"' }).transform((action, ctx) => {
      const known = actions[action.toLowerCase().replaceAll(/[^a-z]/g, '')];
      if (known !== undefined) return known;
      ctx.addIssue({ code: 'custom', message: `"${action}" is neither "wait_for" nor "wait_till"` });
      return z.NEVER;
    }),
    days: whole(30),
    hours: whole(23),
    minutes: whole(59),
    seconds: whole(59),
    base_date: z.string().nullish(),
    operand: z.string().nullish(),
  })
  .transform((given, ctx) => {
    const { days, hours, minutes, seconds } = given;
    const span = { days, hours, minutes, seconds };
    const spanS = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    if (spanS > longestS) {
      ctx.addIssue({
        code: 'custom',
        path: ['days'],
        message: 'a delay lasts 30 days at most, all units together',
      });
    }
    if (given.action === 'wait_for') return { ...span, spanS, till: undefined };
    const text = given.base_date ?? '';
    const base = readBaseDate(text);
    const operand = sides[(given.operand ?? '+').trim().toLowerCase()];
    if (base === undefined) {
      const message =
        text.trim() === ''
          ? 'is required by "wait_till"'
          : `"${text}" is not a date; write 2026-12-31, 2026-12-31T08:00:00Z, 2026/12/31 or 12/31/2026 (month first)`;
      ctx.addIssue({ code: 'custom', path: ['base_date'], message });
    }
    if (operand === undefined) {
      ctx.addIssue({ code: 'custom', path: ['operand'], message: 'must be "before" or "after"' });
    }
    if (base === undefined || operand === undefined) return z.NEVER;
    return { ...span, spanS, till: { base, text, operand } };
  });

type Settings = z.infer<typeof settings>;

/** Lets time pass, without the execution being anywhere but in the database. */
export const delay = nodeType<Settings>({
  type: 'delay',
  label: 'Delay',
  group: 'control',
  help: 'Waits for some time, or until a time before or after a date. A sync call does not wait.',
  reference: {
    output:
      'Of `wait_for` the text `Waited for N seconds.`; of `wait_till` `{days, hours, minutes, seconds, base_date, operand}`. A sync call waits 0 seconds, and is told so.',
    errors: 'Amounts out of range; a base date that is none; more than 30 days.',
  },
  effect: 'none',
  fields: {
    action: {
      type: 'select',
      label: 'Action',
      required: true,
      options: [
        { name: 'Wait for', value: 'wait_for' },
        { name: 'Wait till', value: 'wait_till' },
      ],
    },
    operand: {
      type: 'select',
      label: 'Before or after base date',
      help: 'Of "Wait till".',
      options: [
        { name: 'Before', value: 'before' },
        { name: 'After', value: 'after' },
      ],
    },
    base_date: {
      type: 'text',
      label: 'Base date',
      help: 'Of "Wait till": ISO, YYYY/MM/DD or MM/DD/YYYY; UTC unless it says otherwise.',
      placeholder: '2026-12-31T08:00:00Z',
    },
    days: { type: 'number', label: 'Days', default: 0 },
    hours: { type: 'number', label: 'Hours', default: 0 },
    minutes: { type: 'number', label: 'Minutes', default: 0 },
    seconds: { type: 'number', label: 'Seconds', default: 0 },
  },
  settings,
  run(given, ctx) {
    const target = targetOf(given, ctx.now);
    const waitMs = target.getTime() - ctx.now.getTime();
    if (waitMs <= 0) return done(outputOf(given, 0));
    if (waitMs > longestS * 1_000) {
      const days = Math.ceil(waitMs / 86_400_000);
      return failed({
        message: `base_date: "${given.till?.text ?? ''}" is ${days} days away; a delay lasts 30 days at most.`,
        retry: 'never',
      });
    }
    if (ctx.mode === 'sync') return done(outputOf(given, 0, noteForSync));
    return suspended({ reason: 'delay', dueAt: target, state: { waitMs } });
  },
  resume: (given, _ctx, { state }): NodeOutcome => {
    const { waitMs } = state as { waitMs: number };
    return done(outputOf(given, Math.round(waitMs / 1_000)));
  },
});

const noteForSync = 'A sync call does not wait: somebody holds the line.';

function targetOf({ till, spanS }: Settings, now: NodeContext['now']): Date {
  if (till === undefined) return new Date(now.getTime() + spanS * 1_000);
  return new Date(till.base.getTime() + (till.operand === '-' ? -1 : 1) * spanS * 1_000);
}

function outputOf(given: Settings, waitedS: number, note?: string): unknown {
  const { till, days, hours, minutes, seconds } = given;
  if (till === undefined) return [`Waited for ${waitedS} seconds.`, note].filter(Boolean).join(' ');
  return {
    days,
    hours,
    minutes,
    seconds,
    base_date: till.text,
    operand: till.operand,
    ...(note === undefined ? {} : { note }),
  };
}
