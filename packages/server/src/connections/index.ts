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
export {
  type App,
  type AppSettings,
  type AppSettingsInput,
  callbackUrl,
  type ConnectedAccount,
  findApp,
  findCatalogueApp,
  listApps,
  listCatalogue,
  revealClientSecret,
  saveAppSettings,
} from '#connections/apps';
export { connectWithKeys } from '#connections/connect-with-keys';
export type { ConnectionDeps, ConnectorCatalogue, OnConnected } from '#connections/deps';
export { importOAuthCredential } from '#connections/import-credential';
export { disconnect } from '#connections/disconnect';
export {
  type ActionCall,
  actionEffect,
  type ActionResult,
  executeAction,
  loadFieldOptions,
} from '#connections/execute-action';
export { type CallbackHint, type CallbackOutcome, finishOAuth, startOAuth } from '#connections/oauth-flow';
