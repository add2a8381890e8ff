import { z } from 'zod';
import { consoleOf, requireAdmin } from '#api/admin/guard';
import { deliveryShape, shapeDelivery } from '#api/admin/alert-deliveries';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { wireTime } from '#api/wire';
import {
  alertRule,
  alertRuleBody,
  alertRules,
  changeAlertRule,
  makeAlertRule,
  removeAlertRule,
  shownUrl,
  tryRule,
  type AlertRule,
} from '#webhooks/index';

const tags = ['Dashboard: alerts'];
const base = '/api/admin/alert-rules';
const idPath = z.object({ id: z.string() });

const ruleShape = z.object({
  id: z.string(),
  name: z.string(),
  is_enabled: z.boolean(),
  watches: z.enum(['events', 'failure_rate', 'no_run']),
  events: z.array(z.string()),
  app_slug: z.string().nullable(),
  workflow_ids: z.array(z.string()).nullable(),
  window_minutes: z.number().nullable(),
  threshold_percent: z.number().nullable(),
  least_runs: z.number().nullable(),
  kind: z.enum(['default', 'slack', 'custom', 'email']),
  url: z.string().nullable().describe('Without what may be its secret'),
  method: z.string().nullable(),
  header_names: z.array(z.string()).describe('Values of headers are never shown again'),
  body: z.string().nullable().describe('For owners and admins: it may hold a key'),
  recipients: z.array(z.string()),
  is_firing: z.boolean().describe('Of `failure_rate` and `no_run`: told, and not well again'),
  created_at: z.string(),
  updated_at: z.string(),
});

/** Who is told of what in the environment of the dashboard. */
export function adminAlertRuleRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    base,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List the alert rules of this environment',
        response: { 200: z.object({ rules: z.array(ruleShape) }) },
      },
    },
    async (request) => {
      const caller = consoleOf(request);
      return { rules: (await alertRules(deps, caller.tenant)).map((rule) => shape(rule, caller.role)) };
    },
  );

  app.get(
    `${base}/:id`,
    {
      config: { auth: 'console' },
      schema: { tags, summary: 'Read an alert rule', params: idPath, response: { 200: ruleShape } },
    },
    async (request) => {
      const caller = consoleOf(request);
      return shape(await alertRule(deps, caller.tenant, request.params.id), caller.role);
    },
  );

  app.post(
    base,
    {
      config: { auth: 'console' },
      schema: { tags, summary: 'Make an alert rule', body: alertRuleBody, response: { 200: ruleShape } },
    },
    async (request) => {
      const caller = requireAdmin(request);
      return shape(await makeAlertRule(deps, caller.tenant, request.body), caller.role);
    },
  );

  app.put(
    `${base}/:id`,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Write an alert rule over',
        params: idPath,
        body: alertRuleBody,
        response: { 200: ruleShape },
      },
    },
    async (request) => {
      const caller = requireAdmin(request);
      return shape(await changeAlertRule(deps, caller.tenant, request.params.id, request.body), caller.role);
    },
  );

  app.delete(
    `${base}/:id`,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Remove an alert rule with its deliveries',
        params: idPath,
        response: { 200: z.object({ removed: z.literal(true) }) },
      },
    },
    async (request) => {
      await removeAlertRule(deps, requireAdmin(request).tenant, request.params.id);
      return { removed: true as const };
    },
  );

  app.post(
    `${base}/:id/test`,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Send a trial of an alert rule, once and at once',
        params: idPath,
        response: { 200: deliveryShape },
      },
    },
    async (request) => shapeDelivery(await tryRule(deps, requireAdmin(request).tenant, request.params.id)),
  );
}

function shape(rule: AlertRule, role: string): z.output<typeof ruleShape> {
  const maySeeBody = role === 'owner' || role === 'admin';
  return {
    id: rule.id,
    name: rule.name,
    is_enabled: rule.isEnabled,
    watches: rule.watches,
    events: rule.watches === 'events' ? [...rule.events] : [],
    app_slug: rule.appSlug,
    workflow_ids: rule.workflowIds === null ? null : [...rule.workflowIds],
    window_minutes: rule.windowMinutes,
    threshold_percent: rule.thresholdPercent,
    least_runs: rule.leastRuns,
    kind: rule.kind,
    url: rule.target && shownUrl(rule.target.url),
    method: rule.method,
    header_names: Object.keys(rule.target?.headers ?? {}),
    body: maySeeBody ? (rule.target?.body ?? null) : null,
    recipients: [...rule.recipients],
    is_firing: rule.isFiring,
    created_at: wireTime(rule.createdAt),
    updated_at: wireTime(rule.updatedAt),
  };
}
