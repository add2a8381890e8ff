export { type CallBudget, postgresBudgetStore } from '#outbound/call-budget';
export { createOutbound, type Outbound, type OutboundStream, type OutboundRequest } from '#outbound/outbound';
