/** The connector kit: what authors write with, and what the server runs connectors with. */

// For authors
export { action, type Action, type RunContext } from '#kit/action';
export {
  type AfterAuthorize,
  basicAuth,
  bearer,
  headerAuth,
  keybased,
  type Keybased,
  oauth2,
  type OAuth2,
  type OAuthScopes,
  type Parameters,
  type Placement,
  queryAuth,
  type Scopes,
  type TokenShape,
} from '#kit/auth';
export type { Choice } from '#kit/choice';
export { customPoll, type CustomPoll } from '#kit/custom-poll';
export {
  allowedHosts,
  baseUrlOf,
  type Check,
  connector,
  type Connector,
  type Http,
  type Limits,
  requestUrl,
} from '#kit/connector';
export { field, type Field, type Fields, type FieldType, type Input } from '#kit/field';
export { at, compact, isRecord, type Json, type JsonObject, parseJson, type Values } from '#kit/json';
export { options, type Options } from '#kit/options';
export type { Pages } from '#kit/paging';
export {
  type ApiRequest,
  type ApiResponse,
  type Body,
  del,
  type Effect,
  type FileValue,
  form,
  get,
  type HttpPort,
  type Method,
  multipart,
  patch,
  path,
  post,
  put,
  text,
} from '#kit/request';
export { isEqualText, readRs256, refuseStandardWebhook, sha256Hex } from '#kit/signature';
export {
  bodyObject,
  type Duration,
  durationMs,
  poll,
  type Poll,
  type SubscribeContext,
  type Subscription,
  type Trigger,
  webhook,
  type Webhook,
  type WebhookEvent,
  type WebhookExample,
  type WebhookRequest,
  webhookRequest,
  type WebhookRoute,
  type WebhookSetup,
  type Window,
} from '#kit/trigger';

// For the server
export {
  InputError,
  type InputErrorCode,
  InvalidParameter,
  MissingParameter,
  ProviderError,
} from '#kit/errors';
export { parseField, parseInput } from '#kit/input';
export {
  actionSchema,
  checkConnection,
  type ConnectorDescription,
  describe,
  describeFields,
  type FieldDescription,
  findPoll,
  findWebhook,
  loadOptions,
  type PollItem,
  type PollResult,
  pollTrigger,
  rememberIdsForMs,
  runPoll,
  verifyWebhook,
  type WebhookVerdict,
} from '#kit/live';
export {
  type ActionOutput,
  effectOf,
  fieldsOf,
  findAction,
  runAction,
  type RunOptions,
  worstEffect,
} from '#kit/run';
export { isHostAllowed, type Place, urlOf, type UrlTemplate } from '#kit/url';

// For tests and the command line
export {
  checkConnector,
  type ConnectorFiles,
  connectorFiles,
  type FileReader,
  type Problem,
} from '#kit/check';
export { record, type Recording, redact, replay, type Subject, subjectOf } from '#kit/recording';
