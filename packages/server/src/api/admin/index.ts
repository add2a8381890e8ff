import { adminConfigFieldRoutes } from '#api/admin/config-fields';
import { adminDraftRoutes } from '#api/admin/drafts';
import { adminEventRoutes } from '#api/admin/events';
import { adminFunctionRoutes } from '#api/admin/functions';
import { adminAccountConnectionRoutes } from '#api/admin/account-connections';
import { adminAppRoutes } from '#api/admin/apps';
import { adminExecutionOperationRoutes } from '#api/admin/execution-operations';
import { adminExecutionRoutes } from '#api/admin/executions';
import { adminHumanTaskRoutes } from '#api/admin/human-tasks';
import { adminLinkedAccountRoutes } from '#api/admin/linked-accounts';
import { adminMailSettingRoutes } from '#api/admin/mail-settings';
import { adminModelProviderRoutes } from '#api/admin/model-providers';
import { adminOrganizationRoutes } from '#api/admin/organization';
import { adminAppWebhookRoutes } from '#api/admin/app-webhooks';
import { adminReceivedEventRoutes } from '#api/admin/received-events';
import { adminRetentionRoutes } from '#api/admin/retention';
import { adminRunningLimitRoutes } from '#api/admin/running-limits';
import { adminSessionRoutes } from '#api/admin/session';
import { adminUsageRoutes } from '#api/admin/usage';
import { adminVariableRoutes } from '#api/admin/variables';
import { adminWorkflowRoutes } from '#api/admin/workflows';
import type { ApiApp } from '#api/app';
import type { ConsoleAuth } from '#api/console-auth';
import type { ApiDeps } from '#api/deps';

/** The dashboard's own API, one file a topic. Every route declares `auth: 'console'` and reads `consoleOf`. */
export function adminRoutes(app: ApiApp, deps: ApiDeps, auth: ConsoleAuth): void {
  adminSessionRoutes(app, deps, auth);
  adminOrganizationRoutes(app, deps);
  adminHumanTaskRoutes(app, deps);
  adminLinkedAccountRoutes(app, deps);
  adminEventRoutes(app, deps);
  adminUsageRoutes(app, deps);
  adminVariableRoutes(app, deps);
  adminFunctionRoutes(app, deps);
  adminModelProviderRoutes(app, deps);
  adminWorkflowRoutes(app, deps);
  adminDraftRoutes(app, deps);
  adminConfigFieldRoutes(app, deps);
  adminAccountConnectionRoutes(app, deps);
  adminAppRoutes(app, deps);
  adminExecutionRoutes(app, deps);
  adminExecutionOperationRoutes(app, deps);
  adminMailSettingRoutes(app, deps);
  adminRetentionRoutes(app, deps);
  adminRunningLimitRoutes(app, deps);
  adminReceivedEventRoutes(app, deps);
  adminAppWebhookRoutes(app, deps);
}
