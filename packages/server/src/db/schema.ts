import type { ColumnType, Generated, Kysely } from 'kysely';
import type { Environment } from '#domain/tenant';

/**
 * The tables as Kysely sees them, one interface a table, columns named as in the database.
 * `schema.sql` is the same in SQL and is compared with the migrated database by a test.
 */

type Timestamp = ColumnType<Date, Date | string, Date | string>;
type NullableTimestamp = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
type DefaultedTimestamp = ColumnType<Date, Date | string | undefined, Date | string>;
/** A jsonb column: parsed when read; written as JSON text, since `pg` would turn an array into a PostgreSQL array. */
type Json<T> = ColumnType<T, string, string>;
type DefaultedJson<T> = ColumnType<T, string | undefined, string>;
type NullableJson<T> = ColumnType<T | null, string | null | undefined, string | null>;

interface TenantColumns {
  org_id: string;
  environment: Environment;
}

export interface OrganizationTable {
  id: string;
  name: string;
  slug: string;
  logo: string | null;
  website: string | null;
  email: string | null;
  settings: DefaultedJson<Record<string, unknown>>;
  metadata: string | null;
  log_retention_days: number | null;
  created_at: DefaultedTimestamp;
}

export interface ApiKeyTable extends TenantColumns {
  id: string;
  key_hash: Buffer;
  key_sealed: Buffer;
  hint: string;
  disabled_at: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
  created_at: DefaultedTimestamp;
}

export interface AppSettingTable extends TenantColumns {
  app_slug: string;
  is_enabled: Generated<boolean>;
  credential_source: Generated<'ours' | 'own'>;
  client_id: string | null;
  client_secret_sealed: Buffer | null;
  optional_scopes: Generated<string[]>;
  custom_scopes: Generated<string[]>;
  variables: DefaultedJson<Record<string, string>>;
  created_at: DefaultedTimestamp;
  updated_at: DefaultedTimestamp;
}

/** One user-defined field as it is stored and shown. */
export interface UserDefinedField {
  _id: string;
  key_name: string;
  key_value: unknown;
  createdAt: string;
  updatedAt: string;
}

export interface LinkedAccountTable extends TenantColumns {
  id: string;
  account_id: string;
  name: string | null;
  udf: DefaultedJson<UserDefinedField[]>;
  extra: DefaultedJson<Record<string, unknown>>;
  scope: string | null;
  org_credentials_sealed: Buffer | null;
  is_seed: Generated<boolean>;
  running_limit: number | null;
  created_at: DefaultedTimestamp;
  updated_at: DefaultedTimestamp;
}

export interface SessionTokenTable extends TenantColumns {
  jti: string;
  linked_account_id: string;
  issued_at: Timestamp;
  expires_at: Timestamp;
  revoked_at: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
  hosted_properties: NullableJson<Record<string, unknown>>;
  hosted_properties_until: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
  is_workflow_read_only: Generated<boolean>;
}

export interface ConnectLinkTable extends TenantColumns {
  token_hash: Buffer;
  linked_account_id: string;
  session_jti: string;
  config_id: string | null;
  browser_hash: Buffer | null;
  expires_at: Timestamp;
  created_at: DefaultedTimestamp;
}

export type AuthType = 'oauth2' | 'keybased';
export type ConnectionStatus = 'active' | 'expired';

export interface ConnectionTable extends TenantColumns {
  id: string;
  linked_account_id: string;
  app_slug: string;
  auth_type: AuthType;
  status: ConnectionStatus;
  status_reason: string | null;
  credential_sealed: Buffer;
  credential_version: Generated<number>;
  access_expires_at: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
  refresh_expires_at: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
  granted_scopes: string[] | null;
  identifier: NullableJson<unknown>;
  meta: DefaultedJson<Record<string, string>>;
  refresh_lease_owner: string | null;
  refresh_lease_until: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
  refresh_failures: Generated<number>;
  refresh_retry_at: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
  expired_at: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
  connected_at: Timestamp;
  created_at: DefaultedTimestamp;
  updated_at: DefaultedTimestamp;
}

export interface OauthStateTable extends TenantColumns {
  state_hash: Buffer;
  linked_account_id: string;
  app_slug: string;
  flow_sealed: Buffer;
  return_to: string | null;
  expires_at: Timestamp;
  used_at: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
  created_at: DefaultedTimestamp;
}

export type ConnectionEvent =
  'created' | 'reauthenticated' | 'expired' | 'failed' | 'deleted' | 'account_changed';

export interface ConnectionLogTable extends TenantColumns {
  id: string;
  linked_account_id: string;
  app_slug: string;
  event: ConnectionEvent;
  auth_type: string | null;
  detail: DefaultedJson<Record<string, unknown>>;
  created_at: DefaultedTimestamp;
}

export interface OrgEventTable extends TenantColumns {
  id: string;
  name: string;
  sample: Json<Record<string, unknown>>;
  json_schema: NullableJson<Record<string, unknown>>;
  created_at: DefaultedTimestamp;
  updated_at: DefaultedTimestamp;
}

export type TriggerKind = 'event' | 'app_event' | 'polling' | 'webhook' | 'schedule' | 'api_call';

export interface WorkflowTable extends TenantColumns {
  id: string;
  draft_id: string;
  linked_account_id: string | null;
  app_slug: string | null;
  alias: string | null;
  name: string;
  description: Generated<string>;
  draft: Json<unknown>;
  draft_revision: Generated<number>;
  published_version: number | null;
  is_auto_enabled: Generated<boolean>;
  is_hidden_in_config: Generated<boolean>;
  access_filter: NullableJson<unknown>;
  trigger_kind: TriggerKind | null;
  trigger_event: string | null;
  trigger: NullableJson<unknown>;
  origin_id: string | null;
  created_at: DefaultedTimestamp;
  updated_at: DefaultedTimestamp;
}

/** Who did something to a workflow. */
export interface Author {
  readonly kind: 'user' | 'api_key' | 'linked_account';
  /** Record id of the user or the key; the customer's own id of an account. */
  readonly id: string;
  readonly name: string;
}

export interface WorkflowVersionTable extends TenantColumns {
  id: string;
  workflow_id: string;
  version: number;
  document: Json<unknown>;
  description: string | null;
  author: NullableJson<Author>;
  created_at: DefaultedTimestamp;
}

export interface ConfigFieldTable extends TenantColumns {
  id: string;
  app_slug: string;
  workflow_id: string | null;
  name: string;
  field_type: string;
  position: Generated<number>;
  is_required: Generated<boolean>;
  is_multiple: Generated<boolean>;
  is_hidden: Generated<boolean>;
  definition: DefaultedJson<Record<string, unknown>>;
  created_at: DefaultedTimestamp;
  updated_at: DefaultedTimestamp;
}

export interface ConfigTable extends TenantColumns {
  id: string;
  linked_account_id: string;
  app_slug: string;
  config_id: string;
  field_values: DefaultedJson<Record<string, unknown>>;
  labels: NullableJson<unknown>;
  created_at: DefaultedTimestamp;
  updated_at: DefaultedTimestamp;
}

export interface ConfigWorkflowTable extends TenantColumns {
  config_pk: string;
  workflow_id: string;
  is_enabled: Generated<boolean>;
  field_values: DefaultedJson<Record<string, unknown>>;
  updated_at: DefaultedTimestamp;
}

export interface WorkerTable {
  id: string;
  started_at: DefaultedTimestamp;
  heartbeat_at: DefaultedTimestamp;
  is_alive: Generated<boolean>;
  is_retired: Generated<boolean>;
  role: Generated<string>;
  host: Generated<string>;
  pid: Generated<number>;
  slots: Generated<number>;
}

export type ExecutionState =
  'queued' | 'running' | 'waiting' | 'completed' | 'errored' | 'stopped' | 'timed_out' | 'terminated';
export type ExecutionSource = TriggerKind | 'sub_flow';
export type ExecutionMode = 'sync' | 'async';

export interface ExecutionTable extends TenantColumns {
  id: string;
  workflow_id: string;
  workflow_version: number | null;
  document: NullableJson<unknown>;
  linked_account_id: string;
  account_id: string;
  config_id: string;
  app_slug: string | null;
  source: ExecutionSource;
  trigger_event: string | null;
  mode: ExecutionMode;
  state: ExecutionState;
  owner: string | null;
  stop_requested_at: NullableTimestamp;
  timeout_s: number;
  deadline_at: NullableTimestamp;
  instance_tag: string | null;
  rerun_of: string | null;
  retry_of: string | null;
  retry_root_id: string | null;
  kept_seq: number | null;
  response_node_id: string | null;
  status_code: number | null;
  failed_node_id: string | null;
  error_text: string | null;
  error_hash: string | null;
  custom_field_values: NullableJson<Record<string, string>>;
  node_count: Generated<number>;
  finished_node_count: Generated<number>;
  lost_count: Generated<number>;
  created_at: DefaultedTimestamp;
  started_at: NullableTimestamp;
  finished_at: NullableTimestamp;
  suspended_at: NullableTimestamp;
  parent_execution_id: string | null;
  parent_node_id: string | null;
  parent_batch: string | null;
  root_execution_id: string | null;
  depth: Generated<number>;
  concurrency_key: string | null;
  concurrency_limit: number | null;
  concurrency_overflow: 'queue' | 'drop' | 'replace' | null;
  holds_while_waiting: Generated<boolean>;
  payload_bytes: Generated<number>;
  is_listed: Generated<boolean>;
}

export type JournalStatus =
  | 'success'
  | 'errored'
  | 'errored_and_skipped'
  | 'rejected'
  | 'stopped'
  | 'timed_out'
  | 'retrying'
  | 'partially_successful'
  | 'terminated';

/** A step begins, a step ended, an iteration of a container ended. */
export type JournalKind = 'start' | 'outcome' | 'batch';

export interface JournalTable extends TenantColumns {
  execution_id: string;
  seq: number;
  node_id: string;
  batch: Generated<string>;
  batch_index: number | null;
  attempt: Generated<number>;
  kind: JournalKind;
  status: JournalStatus | null;
  port: string | null;
  status_code: number | null;
  duration_ms: number | null;
  input: NullableJson<unknown>;
  input_blob: Buffer | null;
  output: NullableJson<unknown>;
  output_blob: Buffer | null;
  error: NullableJson<{ message: string; status?: number; body?: unknown }>;
  console: NullableJson<{ level: string; text: string }[]>;
  secrets_sealed: Buffer | null;
  variables: NullableJson<Record<string, unknown>>;
  retry_at: NullableTimestamp;
  at: Timestamp;
}

export interface BlobTable extends TenantColumns {
  hash: Buffer;
  content: string;
  used_on: DefaultedTimestamp;
}

export type WaitReason = 'retry' | 'delay' | 'webhook' | 'human_task' | 'sub_flow';
/** What brought a suspended node back: its time, its token, or the end of the execution that it started. */
export type WokenBy = 'due' | 'token' | 'child';

export interface WaitTable extends TenantColumns {
  id: string;
  execution_id: string;
  node_id: string;
  batch: Generated<string>;
  attempt: number;
  reason: WaitReason;
  due_at: Timestamp;
  token_hash: Buffer | null;
  child_execution_id: string | null;
  state: NullableJson<unknown>;
  woken_by: WokenBy | null;
  payload_sealed: Buffer | null;
  wake_at: NullableTimestamp;
  created_at: Timestamp;
}

export interface WaitArrivalTable extends TenantColumns {
  id: string;
  batch: string | null;
  execution_id: string;
  node_id: string;
  payload_sealed: Buffer;
  received_at: DefaultedTimestamp;
}

export interface UsagePendingTable extends TenantColumns {
  execution_id: string;
}

export interface UsageDayTable extends TenantColumns {
  day: string;
  linked_account_id: string;
  account_id: string;
  workflow_id: string;
  completed: Generated<string>;
  errored: Generated<string>;
  stopped: Generated<string>;
  timed_out: Generated<string>;
  terminated: Generated<string>;
  node_runs: Generated<string>;
  app_calls: Generated<string>;
  code_ms: Generated<string>;
  bytes_stored: Generated<string>;
}

export interface ExecutionRetryTable extends TenantColumns {
  execution_id: string;
  request_id: string;
  retry_id: string;
  created_at: DefaultedTimestamp;
}

export type HumanTaskStatus = 'WAITING' | 'SUBMITTED' | 'TIMEOUT';
export type HumanTaskMail = 'due' | 'sending' | 'sent' | 'unknown' | 'failed';

export interface HumanTaskTable extends TenantColumns {
  id: string;
  execution_id: string;
  node_id: string;
  batch: Generated<string>;
  token_hash: Buffer;
  title: string;
  receivers: string[];
  status: Generated<HumanTaskStatus>;
  mail: Generated<HumanTaskMail>;
  form_sealed: Buffer;
  answer_sealed: Buffer | null;
  mail_sealed: Buffer | null;
  resent_count: Generated<number>;
  due_at: Timestamp;
  created_at: Timestamp;
  updated_at: Timestamp;
}

export interface ChildExecutionTable extends TenantColumns {
  parent_execution_id: string;
  node_id: string;
  batch: Generated<string>;
  child_execution_id: string;
  is_awaited: Generated<boolean>;
  first_batch: Generated<string>;
}

export type InboxSource = Extract<ExecutionSource, 'event' | 'app_event' | 'webhook' | 'api_call'>;

/** What became of an arrival for one workflow that listens to it. */
export interface InboxResult {
  readonly workflow_id: string;
  /** `conditions`: the trigger's conditions did not hold. */
  readonly outcome: 'started' | 'duplicate' | 'conditions';
  readonly execution_id?: string;
}

export interface InboxTable extends TenantColumns {
  id: string;
  event: string | null;
  source: Generated<InboxSource>;
  results: NullableJson<readonly InboxResult[]>;
  linked_account_id: string;
  config_id: string;
  app_slug: string | null;
  payload: NullableJson<unknown>;
  payload_blob: Buffer | null;
  is_duplicate: Generated<boolean>;
  execution_count: Generated<number>;
  received_at: Timestamp;
}

export interface TriggerSecretTable extends TenantColumns {
  id: string;
  workflow_id: string;
  secret_sealed: Buffer;
  created_at: DefaultedTimestamp;
}

export interface AppWebhookTable extends TenantColumns {
  id: string;
  linked_account_id: string;
  app_slug: string;
  trigger: string;
  is_manual: Generated<boolean>;
  is_wanted: boolean;
  provider_id: string | null;
  route_key: string | null;
  secrets_sealed: Buffer | null;
  due_at: NullableTimestamp;
  attempts: Generated<number>;
  renew_at: NullableTimestamp;
  error_text: string | null;
  created_at: DefaultedTimestamp;
  updated_at: DefaultedTimestamp;
}

export interface InboxKeyTable extends TenantColumns {
  scope: string;
  key: string;
  expires_at: Timestamp;
}

export type VariableScope = 'org' | 'workspace' | 'linked_account' | 'workflow';
export type VariableFormat = 'string' | 'number' | 'url';

export interface VariableDefinitionTable {
  id: string;
  org_id: string;
  name: string;
  description: Generated<string>;
  scope: VariableScope;
  var_format: VariableFormat;
  is_encrypted: Generated<boolean>;
  created_by: string | null;
  updated_by: string | null;
  created_at: DefaultedTimestamp;
  updated_at: DefaultedTimestamp;
}

export interface VariableValueTable extends TenantColumns {
  id: string;
  definition_id: string;
  linked_account_id: string | null;
  workflow_id: string | null;
  value: string | null;
  value_sealed: Buffer | null;
  created_by: string | null;
  updated_by: string | null;
  created_at: DefaultedTimestamp;
  updated_at: DefaultedTimestamp;
}

export interface EnvironmentLimitTable extends TenantColumns {
  running_limit: number | null;
}

export interface ConsoleUserTable {
  id: string;
  name: string;
  email: string;
  email_verified: boolean;
  image: string | null;
  created_at: DefaultedTimestamp;
  updated_at: DefaultedTimestamp;
}

export interface ConsoleSessionTable {
  id: string;
  token: string;
  user_id: string;
  active_organization_id: string | null;
  expires_at: Timestamp;
  ip_address: string | null;
  user_agent: string | null;
  created_at: DefaultedTimestamp;
  updated_at: DefaultedTimestamp;
}

export interface ConsoleAccountTable {
  id: string;
  user_id: string;
  provider_id: string;
  account_id: string;
  password: string | null;
}

export interface OrganizationMemberTable {
  id: string;
  organization_id: string;
  user_id: string;
  role: string;
  created_at: DefaultedTimestamp;
}

export interface ConsoleSignInFailureTable {
  email_hash: Buffer;
  failures: number;
  locked_until: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
  last_at: Timestamp;
}

export interface DataColumn {
  readonly name: string;
  readonly encrypted: boolean;
}

export interface DataTableTable extends TenantColumns {
  id: string;
  linked_account_id: string | null;
  execution_id: string | null;
  name: string;
  columns: Json<readonly DataColumn[]>;
  app_slug: string | null;
  config_id: string | null;
  group_name: string | null;
  record_count: Generated<number>;
  created_at: DefaultedTimestamp;
  updated_at: DefaultedTimestamp;
  deleted_at: NullableTimestamp;
}

export interface DataRecordTable extends TenantColumns {
  table_id: string;
  id: string;
  seq: Generated<string>;
  fields: Json<Readonly<Record<string, string | number | null>>>;
  fields_sealed: Buffer | null;
}

export interface DataRefTable extends TenantColumns {
  id: string;
  linked_account_id: string;
  name: string;
  group_name: string | null;
  created_at: DefaultedTimestamp;
  updated_at: DefaultedTimestamp;
}

export interface DataRefEntryTable extends TenantColumns {
  ref_id: string;
  record_id: string;
  slug: string;
  external_id: string;
}

/** One input or output of a function that workflows share. */
export interface FunctionField {
  readonly name: string;
  readonly type: 'any' | 'string' | 'number' | 'boolean' | 'array' | 'object';
  readonly required: boolean;
  readonly description: string;
}

export interface CodeFunctionTable extends TenantColumns {
  id: string;
  name: string;
  description: Generated<string>;
  latest_version: number;
  created_at: DefaultedTimestamp;
  updated_at: DefaultedTimestamp;
}

export interface CodeFunctionVersionTable extends TenantColumns {
  function_id: string;
  version: number;
  language: 'javascript' | 'python';
  code: string;
  inputs: Json<FunctionField[]>;
  outputs: Json<FunctionField[]>;
  created_at: DefaultedTimestamp;
}

export interface ModelProviderTable extends TenantColumns {
  name: string;
  kind: 'openai' | 'anthropic';
  base_url: string;
  default_model: string | null;
  key_sealed: Buffer;
  created_at: DefaultedTimestamp;
  updated_at: DefaultedTimestamp;
}

export interface AgentStepTable extends TenantColumns {
  run_key: string;
  seq: number;
  entry_sealed: Buffer;
  created_at: DefaultedTimestamp;
}

export interface AgentMemoryTable extends TenantColumns {
  id: Generated<string>;
  linked_account_id: string;
  store: string;
  identifier: string;
  run_key: string;
  role: 'user' | 'assistant';
  content_sealed: Buffer;
  created_at: DefaultedTimestamp;
}

export interface WorkflowPinTable extends TenantColumns {
  workflow_id: string;
  node_id: string;
  output: Json<unknown>;
  port: string | null;
  updated_at: DefaultedTimestamp;
}

export interface WorkflowPayloadTable extends TenantColumns {
  workflow_id: string;
  name: string;
  payload: Json<unknown>;
  updated_at: DefaultedTimestamp;
}

export interface Database {
  organization: OrganizationTable;
  api_key: ApiKeyTable;
  app_setting: AppSettingTable;
  linked_account: LinkedAccountTable;
  session_token: SessionTokenTable;
  connect_link: ConnectLinkTable;
  connection: ConnectionTable;
  oauth_state: OauthStateTable;
  connection_log: ConnectionLogTable;
  org_event: OrgEventTable;
  workflow: WorkflowTable;
  workflow_version: WorkflowVersionTable;
  workflow_pin: WorkflowPinTable;
  workflow_payload: WorkflowPayloadTable;
  config_field: ConfigFieldTable;
  config: ConfigTable;
  config_workflow: ConfigWorkflowTable;
  console_user: ConsoleUserTable;
  console_session: ConsoleSessionTable;
  console_account: ConsoleAccountTable;
  organization_member: OrganizationMemberTable;
  console_sign_in_failure: ConsoleSignInFailureTable;
  worker: WorkerTable;
  execution: ExecutionTable;
  journal: JournalTable;
  blob: BlobTable;
  wait: WaitTable;
  child_execution: ChildExecutionTable;
  execution_retry: ExecutionRetryTable;
  human_task: HumanTaskTable;
  usage_pending: UsagePendingTable;
  usage_day: UsageDayTable;
  wait_arrival: WaitArrivalTable;
  inbox: InboxTable;
  inbox_key: InboxKeyTable;
  trigger_secret: TriggerSecretTable;
  app_webhook: AppWebhookTable;
  environment_limit: EnvironmentLimitTable;
  data_table: DataTableTable;
  data_record: DataRecordTable;
  data_ref: DataRefTable;
  data_ref_entry: DataRefEntryTable;
  variable_definition: VariableDefinitionTable;
  variable_value: VariableValueTable;
  code_function: CodeFunctionTable;
  code_function_version: CodeFunctionVersionTable;
  model_provider: ModelProviderTable;
  agent_step: AgentStepTable;
  agent_memory: AgentMemoryTable;
}

/** A handle for queries: the pool, or a transaction on it. */
export type Db = Kysely<Database>;
