import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { actionRoutes } from '#api/v2/actions';
import { applicationRoutes } from '#api/v2/applications';
import { authorizationRoutes } from '#api/v2/authorization';
import { configRoutes } from '#api/v2/configs';
import { dataRefRoutes } from '#api/v2/data-refs';
import { eventRoutes } from '#api/v2/events';
import { executeRoutes } from '#api/v2/execute';
import { executionBatchRoutes } from '#api/v2/execution-batches';
import { executionRoutes } from '#api/v2/executions';
import { humanTaskRoutes } from '#api/v2/human-tasks';
import { linkedAccountRoutes } from '#api/v2/linked-accounts';
import { migrateTokenRoutes } from '#api/v2/migrate-token';
import { pollingTriggerRoutes } from '#api/v2/polling-triggers';
import { resumeWebhookRoutes } from '#api/v2/resume-webhook';
import { scheduleRoutes } from '#api/v2/schedules';
import { sessionRoutes } from '#api/v2/sessions';
import { tableRoutes } from '#api/v2/tables';
import { variableRoutes } from '#api/v2/variables';
import { webhookTriggerRoutes } from '#api/v2/webhook-trigger';
import { appWebhookRoutes } from '#api/v2/app-webhook';
import { workflowRoutes } from '#api/v2/workflows';

/** Cobalt's wire, one file a topic. */
export function wireRoutes(app: ApiApp, deps: ApiDeps): void {
  actionRoutes(app, deps);
  applicationRoutes(app, deps);
  authorizationRoutes(app, deps);
  configRoutes(app, deps);
  dataRefRoutes(app, deps);
  eventRoutes(app, deps);
  executeRoutes(app, deps);
  executionRoutes(app, deps);
  executionBatchRoutes(app, deps);
  humanTaskRoutes(app, deps);
  linkedAccountRoutes(app, deps);
  migrateTokenRoutes(app, deps);
  pollingTriggerRoutes(app, deps);
  resumeWebhookRoutes(app, deps);
  scheduleRoutes(app, deps);
  sessionRoutes(app, deps);
  tableRoutes(app, deps);
  variableRoutes(app, deps);
  webhookTriggerRoutes(app, deps);
  appWebhookRoutes(app, deps);
  workflowRoutes(app, deps);
}
