export { accountWebhooks, saveWebhookKeys } from '#ingress/account-webhooks';
export { acceptProviderCall } from '#ingress/app-events';
export { startSubscriptions } from '#ingress/subscriptions';
export { readTenantName } from '#ingress/tenant-name';
export { createWebhookDoor } from '#ingress/webhook-door';
