export * from '#connections/session-jwt';
export { createConnectLink, openConnectLink } from '#connections/connect-links';
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
  findApp,
  findCatalogueApp,
  listApps,
  listCatalogue,
  revealClientSecret,
  saveAppSettings,
} from '#connections/apps';
export { connectorWithCustomActions } from '#connections/custom-actions/find';
export {
  customActionInput,
  customActionsOf,
  getCustomAction,
  putCustomAction,
  removeCustomAction,
} from '#connections/custom-actions/store';
export { ownAppSlug } from '#connections/own-api/connector';
export { ownApiDefinition } from '#connections/own-api/definition';
export { getOwnApi, removeOwnApi, saveOwnApi } from '#connections/own-api/own-api';
export { connectWithKeys } from '#connections/connect-with-keys';
export type { ConnectionDeps, OnConnected } from '#connections/deps';
export { importOAuthCredential } from '#connections/import-credential';
export { describeAction } from '#connections/describe-action';
export { disconnect } from '#connections/disconnect';
export {
  actionEffect,
  executeAction,
  loadFieldOptions,
  sendWithConnection,
} from '#connections/execute-action';
export { pollApp, type PolledTrigger } from '#connections/poll-app';
export { type CallbackHint, type CallbackOutcome, finishOAuth, startOAuth } from '#connections/oauth-flow';
