export * from '#connections/session-jwt';
export { type ConnectLinkInput, createConnectLink, openConnectLink } from '#connections/connect-links';
export {
  createLinkedAccount,
  deleteLinkedAccount,
  getLinkedAccount,
  type LinkedAccountInput,
  removeOrgCredential,
  setOrgCredential,
  upsertLinkedAccount,
} from '#connections/linked-accounts';
export { issueSessionToken } from '#connections/session-tokens';
