export { type CallBudget, type CallLimits, postgresBudgetStore } from '#outbound/call-budget';
export {
  type BoundCredential,
  type CallRecord,
  createOutbound,
  type CredentialPlacement,
  type Outbound,
  type OutboundRequest,
  type OutboundResponse,
} from '#outbound/outbound';
export { type Effect } from '#outbound/retry';
