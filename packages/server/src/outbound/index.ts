export { type CallBudget, postgresBudgetStore } from '#outbound/call-budget';
export type { ClientTls } from '#outbound/tls-agents';
export { redactedUrl } from '#outbound/redact';
export type { OutboundStream } from '#outbound/answer';
export { createOutbound, type Outbound, type OutboundRequest } from '#outbound/outbound';
