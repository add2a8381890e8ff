import { z } from 'zod';
import { AppError } from '#domain/errors';
import { readAddresses } from '#mail/index';
import { alertEvents } from '#webhooks/events';
import { templateFault } from '#webhooks/render';

/** Ours, or decided by the connection. */
const reservedHeader =
  /^(host|content-length|content-type|transfer-encoding|connection|keep-alive|upgrade|te|trailer|expect|x-cobalt-.*|webhook-.*)$/i;

const address = z
  .string()
  .max(320)
  .refine((text) => {
    const found = readAddresses(text);
    return typeof found !== 'string' && found.length === 1;
  }, 'is not an e-mail address');

const headers = z.record(
  z.string(),
  z
    .string()
    .max(4_000)
    .regex(/^[^\r\n\0]*$/, 'holds a line break'),
);

/** What a caller says about a rule. What does not belong to what it watches, or to its kind, is refused. */
export const alertRuleBody = z
  .strictObject({
    name: z.string().trim().min(1).max(200),
    is_enabled: z.boolean().default(true),
    watches: z.enum(['events', 'failure_rate', 'no_run']),
    events: z.array(z.enum(alertEvents)).min(1).max(20).optional().describe('Of `events`: what is told'),
    app_slug: z
      .string()
      .min(1)
      .max(100)
      .nullable()
      .default(null)
      .describe('Only workflows and connections of this app'),
    workflow_ids: z
      .array(z.string().min(1).max(64))
      .min(1)
      .max(500)
      .nullable()
      .default(null)
      .describe('Only these workflows'),
    window_minutes: z.int().min(1).max(43_200).optional().describe('Of `failure_rate` and `no_run`'),
    threshold_percent: z.int().min(1).max(100).optional().describe('Of `failure_rate`'),
    least_runs: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe('Of `failure_rate`: so many must have ended in the window; 1 when left out'),
    kind: z
      .enum(['default', 'slack', 'custom', 'email'])
      .describe(
        '`default`: the event as JSON, signed; `slack`: an incoming webhook; `custom`: your own body and headers',
      ),
    url: z
      .url({ protocol: /^https?$/, error: 'is not an http or https URL' })
      .max(2_000)
      .refine((url) => {
        const { username, password } = new URL(url);
        return username === '' && password === '';
      }, 'holds a user name or password; use a header')
      .optional()
      .describe('Of webhooks. Left out in a change: the stored one stays'),
    method: z.enum(['POST', 'PUT', 'PATCH']).optional().describe('Of webhooks; POST when left out'),
    headers: headers
      .optional()
      .describe('Of webhooks. Left out in a change: the stored ones stay; {} removes them'),
    body: z
      .string()
      .min(1)
      .max(20_000)
      .nullish()
      .describe(
        'Of `custom`: JSON with templates. Left out in a change: the stored one stays; null: the event as it is',
      ),
    recipients: z.array(address).min(1).max(20).optional().describe('Of `email`'),
  })
  .superRefine((rule, ctx) => {
    const fault = (path: (string | number)[], message: string): void =>
      ctx.addIssue({ code: 'custom', path, message });
    const isWindow = rule.watches !== 'events';
    const isRate = rule.watches === 'failure_rate';
    const isMail = rule.kind === 'email';
    const belongs: readonly [field: keyof typeof rule, isOwn: boolean, isNeeded: boolean, of: string][] = [
      ['events', !isWindow, !isWindow, 'watches "events"'],
      ['window_minutes', isWindow, isWindow, 'watches "failure_rate" and "no_run"'],
      ['threshold_percent', isRate, isRate, 'watches "failure_rate"'],
      ['least_runs', isRate, false, 'watches "failure_rate"'],
      ['url', !isMail, false, 'webhooks'],
      ['method', !isMail, false, 'webhooks'],
      ['headers', !isMail, false, 'webhooks'],
      ['body', rule.kind === 'custom', false, 'kind "custom"'],
      ['recipients', isMail, isMail, 'kind "email"'],
    ];
    for (const [field, isOwn, isNeeded, of] of belongs) {
      if (rule[field] === undefined && isNeeded) fault([field], `is required for ${of}`);
      if (rule[field] !== undefined && !isOwn) fault([field], `belongs to ${of} only`);
    }
    if (rule.workflow_ids !== null && rule.events?.some((event) => event.startsWith('Connection')) === true) {
      fault(['workflow_ids'], 'a connection belongs to no workflow; make a rule of its own for connections');
    }
    for (const name of Object.keys(rule.headers ?? {})) {
      if (!/^[\w-]{1,100}$/.test(name)) fault(['headers', name], 'is not the name of a header');
      if (reservedHeader.test(name)) fault(['headers', name], 'is a header that Inlay sets itself');
    }
    if (rule.kind !== 'custom') return;
    if (rule.body != null) check(['body'], rule.body, true);
    for (const [name, text] of Object.entries(rule.headers ?? {})) check(['headers', name], text, false);

    function check(path: string[], text: string, isJson: boolean): void {
      try {
        const problem = templateFault(text, isJson);
        if (problem !== undefined) fault(path, problem);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        fault(path, error.message);
      }
    }
  });

export type AlertRuleInput = z.output<typeof alertRuleBody>;
