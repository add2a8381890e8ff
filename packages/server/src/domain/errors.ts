/**
 * Every error a caller can meet: code, HTTP status, wire code, what to do next, and text, in one place.
 * Texts name the thing, quote the value seen and say the way out. They never hold a secret or a provider's
 * body: those go to `cause` and to the redacted log. `docs/errors.md` is kept equal by a test.
 */

/** What the caller may do: `never` fix the input; `later` try again; `after_reconnect` once the account has authorized again. */
export type Retry = 'never' | 'later' | 'after_reconnect';

/** One validation problem; `path` is dotted from the request body. */
export interface FieldProblem {
  readonly path: string;
  readonly message: string;
}

interface ErrorSpec<Details = never> {
  readonly status: number;
  /** The code on Cobalt's wire (spec/api §2.3); several of ours may share one. */
  readonly wire: string;
  readonly retry: Retry;
  readonly message: (details: Details) => string;
}

function spec<Details>(
  status: number,
  wire: string,
  retry: Retry,
  message: (details: Details) => string,
): ErrorSpec<Details> {
  return { status, wire, retry, message };
}

export const errorCatalogue = {
  // Requests in general
  invalid_request: spec<{ problems: readonly FieldProblem[] }>(
    400,
    'VALIDATION_ERROR',
    'never',
    ({ problems }) => problems.map((p) => (p.path === '' ? p.message : `${p.path}: ${p.message}`)).join('; '),
  ),
  malformed_http: spec<undefined>(
    400,
    'SERVER_ERROR',
    'never',
    () => 'This is not a request that HTTP/1.1 allows. Use an HTTP client library.',
  ),
  headers_too_large: spec<undefined>(
    431,
    'SERVER_ERROR',
    'never',
    () => 'The headers are larger than 16 KB. Send less in headers; ids and payloads may stand in the body.',
  ),
  request_too_slow: spec<undefined>(
    408,
    'SERVER_ERROR',
    'later',
    () => 'The request did not arrive completely within a minute. Send it again.',
  ),
  malformed_json: spec<{ reason: string }>(
    400,
    'SERVER_ERROR',
    'never',
    (d) =>
      `The request body is not valid JSON: ${d.reason}. Send one JSON object with "content-type: application/json".`,
  ),
  missing_field: spec<{ field: string }>(
    400,
    'MISSING_REQUIRED_FIELD',
    'never',
    (d) => `"${d.field}" is required.`,
  ),
  forbidden_key: spec<{ key: string }>(
    400,
    'VALIDATION_ERROR',
    'never',
    (d) => `The body holds the key "${d.key}", which is not accepted anywhere. Rename it.`,
  ),
  body_too_deep: spec<{ maxDepth: number }>(
    400,
    'VALIDATION_ERROR',
    'never',
    (d) => `The body nests deeper than ${d.maxDepth} levels. Send flatter data.`,
  ),
  body_too_large: spec<{ limitBytes: number }>(
    413,
    'SERVER_ERROR',
    'never',
    (d) =>
      `The request body is larger than ${d.limitBytes} bytes. Send less, or send a reference to the data.`,
  ),
  unsupported_media_type: spec<{ type: string }>(
    415,
    'SERVER_ERROR',
    'never',
    (d) => `The content type "${d.type}" is not accepted here. Send "application/json".`,
  ),
  unsupported_encoding: spec<{ encoding: string }>(
    415,
    'SERVER_ERROR',
    'never',
    (d) => `The content encoding "${d.encoding}" is not accepted here. Send the body as it is.`,
  ),
  method_not_allowed: spec<{ method: string; allowed: string }>(
    405,
    'SERVER_ERROR',
    'never',
    (d) => `${d.method} is not allowed here. Use ${d.allowed}.`,
  ),
  route_not_found: spec<{ method: string; path: string }>(
    404,
    'RESOURCE_NOT_FOUND',
    'never',
    (d) => `There is no ${d.method} ${d.path}. See the API reference at /reference.`,
  ),
  table_full: spec<{ name: string; limit: number }>(
    400,
    'VALIDATION_ERROR',
    'never',
    (d) =>
      `The table "${d.name}" would have more than ${d.limit} records. Delete some, or use another table.`,
  ),
  not_found: spec<{ what: string; id: string }>(
    404,
    'RESOURCE_NOT_FOUND',
    'never',
    (d) => `${d.what} "${d.id}" not found.`,
  ),
  human_task_not_found: spec<undefined>(404, 'RESOURCE_NOT_FOUND', 'never', () => 'Specified Form Not Found'),
  human_task_closed: spec<{ status: 'SUBMITTED' | 'TIMEOUT' }>(400, 'VALIDATION_ERROR', 'never', (d) =>
    d.status === 'SUBMITTED'
      ? 'The form has been submitted already. The first submission counts.'
      : 'The time to submit the form is over. Ask whoever sent it for a new one.',
  ),
  rate_limited: spec<{ retryAfterSeconds: number }>(
    429,
    'RATE_LIMITED',
    'later',
    (d) => `Too many requests. Try again in ${d.retryAfterSeconds} s.`,
  ),
  conflict: spec<{ what: string; id: string }>(
    409,
    'SERVER_ERROR',
    'never',
    (d) => `${d.what} "${d.id}" already exists.`,
  ),
  wrong_state: spec<{ reason: string }>(400, 'SERVER_ERROR', 'never', (d) => d.reason),
  page_not_built: spec<{ page: string }>(
    503,
    'SERVER_ERROR',
    'never',
    (d) => `The ${d.page} is not built yet. Start with "npm start", which builds it.`,
  ),
  not_ready: spec<undefined>(
    503,
    'SERVER_ERROR',
    'later',
    () => 'The database does not answer. Try again shortly.',
  ),
  internal: spec<undefined>(
    500,
    'SERVER_ERROR',
    'later',
    () => 'Something went wrong on our side. The trace id in this answer finds it in the log.',
  ),

  // Credentials
  invalid_credentials: spec<undefined>(401, 'SERVER_ERROR', 'never', () => 'Invalid Credentials'),
  invalid_token: spec<undefined>(401, 'INVALID_TOKEN', 'never', () => 'Invalid token'),
  wrong_credential_kind: spec<{ accepted: string }>(
    403,
    'SERVER_ERROR',
    'never',
    (d) => `This operation accepts ${d.accepted} only.`,
  ),

  // Dashboard
  not_signed_in: spec<undefined>(
    401,
    'SERVER_ERROR',
    'never',
    () => 'You are not signed in. Sign in and try again.',
  ),
  sign_in_failed: spec<undefined>(401, 'SERVER_ERROR', 'never', () => 'Email or password is wrong.'),
  sign_in_locked: spec<{ retryAfterSeconds: number }>(
    429,
    'RATE_LIMITED',
    'later',
    (d) =>
      `Too many failed sign-ins with this email. Try again in ${Math.ceil(d.retryAfterSeconds / 60)} min.`,
  ),
  sign_up_refused: spec<{ reason: string }>(400, 'VALIDATION_ERROR', 'never', (d) => `${d.reason}.`),
  sign_up_closed: spec<undefined>(
    403,
    'SERVER_ERROR',
    'never',
    () =>
      'Signing up is closed here. Ask the owner of the organization for access, or the operator to set INLAY_SIGN_UP=open.',
  ),
  cross_site_request: spec<{ origin: string }>(
    403,
    'SERVER_ERROR',
    'never',
    (d) =>
      `This change was asked for by "${d.origin}", not by the dashboard. Open the dashboard at its own address (INLAY_PUBLIC_URL).`,
  ),
  role_required: spec<{ role: string }>(
    403,
    'SERVER_ERROR',
    'never',
    (d) => `Only an ${d.role} of the organization may do this. Ask one of them.`,
  ),

  // Linked accounts
  linked_account_required: spec<undefined>(
    400,
    'INVALID_LINKED_ACCOUNT_ID',
    'never',
    () =>
      'linked_account_id is required. Send it as the header "linked_account_id" (a proxy in front may drop headers with underscores: "linked-account-id" works too), as a query parameter, or in the body.',
  ),
  linked_account_id_missing: spec<undefined>(
    400,
    'INVALID_LINKED_ACCOUNT_ID',
    'never',
    () => 'linked_account_id required: send the id of your customer, any text that is unique among them.',
  ),
  linked_account_not_found: spec<{ id: string; orgId: string; environment: string }>(
    404,
    'RESOURCE_NOT_FOUND',
    'never',
    (d) =>
      `Linked Account with account id ${d.id} for org ${d.orgId} in environment ${d.environment} not found`,
  ),
  linked_account_unknown_for_token: spec<{ id: string; environment: string }>(
    400,
    'INVALID_LINKED_ACCOUNT_ID',
    'never',
    (d) => `No linked account found for account id : ${d.id} in environment ${d.environment}`,
  ),
  linked_account_exists: spec<{ id: string; environment: string }>(
    400,
    'SERVER_ERROR',
    'never',
    (d) => `Linked account with id ${d.id} already exists in the ${d.environment} environment`,
  ),

  duplicate_key_name: spec<{ kind: 'Auth' | 'Udf' }>(
    400,
    'VALIDATION_ERROR',
    'never',
    (d) => `Duplicate ${d.kind} key_name not allowed`,
  ),
  connect_link_invalid: spec<undefined>(
    404,
    'RESOURCE_NOT_FOUND',
    'never',
    () => 'This link is unknown or its time is over. Ask for a new one.',
  ),
  connect_link_taken: spec<undefined>(
    403,
    'SERVER_ERROR',
    'never',
    () =>
      'This link was opened in another browser already, and works only there. Ask for a new one to use this browser.',
  ),

  // Apps and connections
  app_not_found: spec<{ slug: string; orgId: string }>(
    404,
    'INVALID_APP_ID',
    'never',
    (d) =>
      `Application with app_type '${d.slug}' not found for org ${d.orgId}. Enable it on the Apps page first.`,
  ),
  app_not_configured: spec<{ app: string }>(
    400,
    'SERVER_ERROR',
    'never',
    (d) => `${d.app} has no OAuth client yet. Enter client id and client secret on the app's Settings page.`,
  ),
  auth_type_not_supported: spec<{ app: string; authType: string; supported: string }>(
    400,
    'SERVER_ERROR',
    'never',
    (d) => `${d.app} does not take "${d.authType}"; it takes ${d.supported}.`,
  ),
  credential_rejected: spec<{ app: string; reason: string }>(
    400,
    'SERVER_ERROR',
    'never',
    (d) => `Failed to verify credentials: ${d.app} answered "${d.reason}". Nothing was stored.`,
  ),
  not_connected: spec<{ app: string; account: string }>(
    400,
    'VALIDATION_ERROR',
    'after_reconnect',
    (d) =>
      `The linked account "${d.account}" is not connected to ${d.app}. Send the account to a connect URL.`,
  ),
  connection_needs_reauth: spec<{ app: string; account: string }>(
    401,
    'SERVER_ERROR',
    'after_reconnect',
    (d) =>
      `The ${d.app} connection of linked account "${d.account}" needs to be authorized again. Send the account to a new connect URL.`,
  ),
  refresh_unavailable: spec<{ app: string; retryAfterMs?: number }>(
    502,
    'EXTERNAL_API_FAILURE',
    'later',
    (d) => `${d.app} did not renew the access token this time. The connection is kept; try again shortly.`,
  ),
  own_api_refused: spec<{ status: number }>(
    502,
    'EXTERNAL_API_FAILURE',
    'never',
    (d) =>
      `The token exchange of My App answered with status ${d.status}. See its settings, and the auth credentials of the linked account.`,
  ),
  provider_unreachable: spec<{ app: string; reason: string; wasNotSent?: boolean }>(
    502,
    'EXTERNAL_API_FAILURE',
    'later',
    (d) => `${d.app} could not be reached: ${d.reason}.`,
  ),
  oauth_state_invalid: spec<undefined>(
    400,
    'SERVER_ERROR',
    'never',
    () => 'This authorization link was used already or is too old. Go back and start again.',
  ),
  action_not_found: spec<{ action: string; slug: string }>(
    404,
    'RESOURCE_NOT_FOUND',
    'never',
    (d) => `Action ${d.action} not found in Application ${d.slug}`,
  ),
  action_parameter_missing: spec<{ parameter: string }>(
    400,
    'VALIDATION_ERROR',
    'never',
    (d) => `Required parameter '${d.parameter}' is missing`,
  ),

  // Egress
  egress_forbidden: spec<{ host: string; reason: string }>(
    400,
    'SERVER_ERROR',
    'never',
    (d) =>
      `Calls to "${d.host}" are refused: ${d.reason}. The operator can allow an address range with INLAY_EGRESS_ALLOW.`,
  ),
  egress_response_too_large: spec<{ host: string; limitBytes: number }>(
    502,
    'EXTERNAL_API_FAILURE',
    'never',
    (d) => `"${d.host}" answered with more than ${d.limitBytes} bytes.`,
  ),
  egress_timeout: spec<{ host: string; timeoutMs: number }>(
    502,
    'EXTERNAL_API_FAILURE',
    'later',
    (d) => `"${d.host}" did not answer within ${d.timeoutMs} ms.`,
  ),

  // Files
  file_not_found: spec<{ id: string }>(
    404,
    'RESOURCE_NOT_FOUND',
    'never',
    (d) =>
      `File ${d.id} not found: it never was, was deleted, or its time is over. Make it anew, with a longer ttl if need be.`,
  ),
  file_link_expired: spec<{ at: string }>(
    410,
    'RESOURCE_NOT_FOUND',
    'never',
    (d) => `This link to a file ended at ${d.at}. Ask for a new one.`,
  ),
  file_range_invalid: spec<{ size: number }>(
    416,
    'VALIDATION_ERROR',
    'never',
    (d) => `The header "range" asks for bytes that the file does not have: it has ${d.size}.`,
  ),
  file_exists: spec<{ name: string }>(
    409,
    'VALIDATION_ERROR',
    'never',
    (d) => `A file named "${d.name}" exists already. Choose another name, or switch overwrite on.`,
  ),
  file_too_large: spec<{ name: string; limitBytes: number }>(
    413,
    'VALIDATION_ERROR',
    'never',
    (d) =>
      `The file "${d.name}" is larger than ${d.limitBytes} bytes, the most one file may have. Split it, or ask the operator to raise INLAY_FILE_LIMIT_MB.`,
  ),
  file_too_large_here: spec<{ name: string; limitBytes: number }>(
    413,
    'VALIDATION_ERROR',
    'never',
    (d) =>
      `"${d.name}" is larger than ${(d.limitBytes / 1024 / 1024).toFixed(0)} MB, the most that this step reads. Move larger files as they are with a File Handler node, or split them first.`,
  ),
  file_content_invalid: spec<{ name: string; format: string; reason: string }>(
    422,
    'VALIDATION_ERROR',
    'never',
    (d) => `"${d.name}" cannot be read or written as ${d.format}: ${d.reason}.`,
  ),
  file_source_failed: spec<{ host: string; status: number }>(
    502,
    'EXTERNAL_API_FAILURE',
    'later',
    (d) => `The file could not be read: "${d.host}" answered with status ${d.status}.`,
  ),
  sftp_refused: spec<{ server: string; reason: string }>(
    400,
    'EXTERNAL_API_FAILURE',
    'never',
    (d) => `The SFTP server ${d.server} cannot be used so: ${d.reason}.`,
  ),
  sftp_failed: spec<{ server: string; reason: string }>(
    502,
    'EXTERNAL_API_FAILURE',
    'later',
    (d) => `The SFTP server ${d.server} broke off: ${d.reason}.`,
  ),
  file_quota_exceeded: spec<{ name: string; quotaBytes: number }>(
    413,
    'VALIDATION_ERROR',
    'never',
    (d) =>
      `The file "${d.name}" does not fit: this environment may keep ${d.quotaBytes} bytes of files. Delete some, let them expire sooner, or ask the operator to raise INLAY_FILE_QUOTA_MB.`,
  ),

  pdf_unavailable: spec<undefined>(
    501,
    'SERVER_ERROR',
    'never',
    () =>
      'HTML and pages cannot be printed here: the operator has set no browser. Set INLAY_CHROMIUM to the path of Chromium; merging PDFs works without it.',
  ),
  pdf_failed: spec<{ reason: string }>(
    422,
    'SERVER_ERROR',
    'never',
    (d) => `The PDF was not made: ${d.reason}.`,
  ),

  // Mail
  mail_not_configured: spec<{ missing: string }>(
    400,
    'VALIDATION_ERROR',
    'never',
    (d) =>
      `No mail can be sent: ${d.missing} is missing. Enter it in the node, in the mail settings of the environment, or have the operator set INLAY_SMTP_URL and INLAY_MAIL_FROM.`,
  ),

  // Vault
  key_ring_unusable: spec<{ source: string; reason: string }>(
    500,
    'SERVER_ERROR',
    'never',
    (d) => `The key ring "${d.source}" cannot be used: ${d.reason}.`,
  ),
  sealed_value_unreadable: spec<{ reason: string }>(
    500,
    'SERVER_ERROR',
    'never',
    (d) =>
      `A stored secret cannot be opened: ${d.reason}. Restore the key ring that belongs to this database.`,
  ),

  // Configuration
  config_not_found: spec<{ configId: string }>(
    404,
    'RESOURCE_NOT_FOUND',
    'never',
    (d) => `Config with config id ${d.configId} not found`,
  ),
  slug_missing: spec<undefined>(
    400,
    'MISSING_REQUIRED_FIELD',
    'never',
    () => 'Missing Slug: send the slug of the app as the header "slug", or as "slug" in the body.',
  ),
  config_field_not_found: spec<{ fieldId: string }>(
    400,
    'VALIDATION_ERROR',
    'never',
    (d) => `Field with id ${d.fieldId} not found`,
  ),

  // Events and workflows
  event_not_found: spec<{ event: string }>(
    404,
    'INVALID_EVENT',
    'never',
    (d) => `Trigger not found: there is no event named "${d.event}" (names are case-sensitive).`,
  ),
  event_exists: spec<{ name: string }>(
    400,
    'INVALID_EVENT_ID',
    'never',
    (d) => `An event named "${d.name}" exists already.`,
  ),
  event_schema_invalid: spec<{ reason: string }>(
    400,
    'INVALID_EVENT',
    'never',
    (d) => `The event schema must be a valid JSON object: a sample of what you will send. ${d.reason}`,
  ),
  event_incomplete: spec<undefined>(400, 'INVALID_EVENT', 'never', () => 'name and response are required'),
  variable_not_found: spec<{ id: string }>(
    404,
    'RESOURCE_NOT_FOUND',
    'never',
    (d) => `There is no environment variable "${d.id}". List the definitions for their ids.`,
  ),
  variable_not_set: spec<{ name: string }>(
    404,
    'RESOURCE_NOT_FOUND',
    'never',
    (d) => `The variable "${d.name}" has no value here. Set one with POST /api/v2/public/env/values.`,
  ),
  variable_value_not_found: spec<{ id: string }>(
    404,
    'RESOURCE_NOT_FOUND',
    'never',
    (d) => `There is no value "${d.id}". List the values of the scope for their ids.`,
  ),
  variable_scope_forbidden: spec<undefined>(
    403,
    'SERVER_ERROR',
    'never',
    () =>
      'A session token may use variables of the scope linked_account only, and only those of its own account.',
  ),
  variable_exists: spec<{ name: string; scope: string }>(
    409,
    'SERVER_ERROR',
    'never',
    (d) => `There is a variable "${d.name}" of scope ${d.scope} already. Choose another name or scope.`,
  ),
  variable_scope_mismatch: spec<{ name: string; scope: string; reason: string }>(
    400,
    'VALIDATION_ERROR',
    'never',
    (d) => `The variable "${d.name}" has the scope ${d.scope}: ${d.reason}.`,
  ),
  variable_value_invalid: spec<{ name: string; reason: string }>(
    400,
    'VALIDATION_ERROR',
    'never',
    (d) => `The value does not match the variable format of "${d.name}": ${d.reason}.`,
  ),
  workflow_not_found: spec<{ id: string }>(
    404,
    'INVALID_WORKFLOW_ID',
    'never',
    (d) => `Workflow "${d.id}" not found.`,
  ),
  workflow_alias_without_slug: spec<{ alias: string }>(
    400,
    'MISSING_REQUIRED_FIELD',
    'never',
    (d) =>
      `Workflow ID and slug are required: "${d.alias}" is an alias, and every app may have its own of that name. Send the app as the header "slug", or the workflow's id.`,
  ),
  workflow_read_only: spec<undefined>(
    403,
    'SERVER_ERROR',
    'never',
    () =>
      'This session token may only look at workflows ("readOnlyWorkflow"): it cannot change, switch or run them. Use a session token that was created without it.',
  ),
  workflow_forbidden: spec<{ id: string }>(
    403,
    'SERVER_ERROR',
    'never',
    (d) => `Workflow "${d.id}" belongs to another linked account.`,
  ),
  workflow_invalid: spec<{ problems: readonly FieldProblem[] }>(
    400,
    'VALIDATION_ERROR',
    'never',
    ({ problems }) =>
      `The workflow cannot be saved: ${problems.map((p) => `${p.path}: ${p.message}`).join('; ')}`,
  ),
  workflow_not_published: spec<{ id: string }>(
    400,
    'INVALID_WORKFLOW_ID',
    'never',
    (d) => `Workflow "${d.id}" is not published. Publish it first.`,
  ),
  // Triggers
  schedule_not_found: spec<undefined>(404, 'RESOURCE_NOT_FOUND', 'never', () => 'Scheduled Job Not Found'),
  schedule_already: spec<{ state: 'Active' | 'Inactive' }>(
    400,
    'SERVER_ERROR',
    'never',
    (d) => `Scheduled Job Already ${d.state}`,
  ),
  too_many_schedules: spec<{ limit: number }>(
    400,
    'VALIDATION_ERROR',
    'never',
    (d) => `The linked account has ${d.limit} schedules already. Delete some that are over, then try again.`,
  ),

  execution_not_found: spec<{ id: string }>(404, 'RESOURCE_NOT_FOUND', 'never', () => 'Execution not found'),
  resume_url_not_found: spec<object>(
    404,
    'RESOURCE_NOT_FOUND',
    'never',
    () => 'Nothing is at this URL. Take it from {{node.N.resume_url}} of the execution that waits.',
  ),
  resume_headers_wrong: spec<object>(
    401,
    'UNAUTHORIZED',
    'never',
    () => 'The call does not bring the headers that the workflow asks for. The execution goes on waiting.',
  ),
  resume_refused: spec<{ isAmbiguous: boolean }>(409, 'CONFLICT', 'never', (d) =>
    d.isAmbiguous
      ? 'Several executions wait at this URL, which cannot tell them apart. Call the {{node.N.resume_url}} of the one that is meant.'
      : 'Nobody waits at this URL: it was called before, the time was up, or the execution has not come to the node or has ended.',
  ),
  execution_node_not_found: spec<{ node: string }>(
    404,
    'RESOURCE_NOT_FOUND',
    'never',
    (d) =>
      `The execution has no node "${d.node}", or it did not come that far. Read the execution for the ids of its nodes.`,
  ),
  execution_batch_not_found: spec<{ batch: string }>(
    404,
    'RESOURCE_NOT_FOUND',
    'never',
    (d) =>
      `The execution has no batch "${d.batch}", or it has not begun yet. List the batches of the node for those that it has.`,
  ),
  node_without_batches: spec<{ node: string }>(
    501,
    'SERVER_ERROR',
    'never',
    (d) =>
      `Node "${d.node}" does not run in batches: only loops, try blocks and nodes that read page after page do.`,
  ),
  sync_loop_refused: spec<undefined>(
    400,
    'VALIDATION_ERROR',
    'never',
    () =>
      'The workflow has a loop, and a loop may take longer than a caller waits. Execute it without sync_execution, or set "allow_sync_loops": true in the settings of the workflow.',
  ),
  queue_full: spec<{ limit: number }>(
    429,
    'RATE_LIMITED',
    'later',
    (d) => `The linked account has ${d.limit} executions waiting already. Slow down and try again.`,
  ),

  webhook_not_found: spec<undefined>(
    404,
    'RESOURCE_NOT_FOUND',
    'never',
    () =>
      'No workflow listens at this URL: it may be unpublished, switched off for the account, deleted, or the URL is not written as it is shown.',
  ),
  webhook_refused: spec<{ reason: string }>(
    401,
    'SERVER_ERROR',
    'never',
    (d) => `The call is refused: ${d.reason}. Check the secret and the header on both sides.`,
  ),
  duplicate_arrival: spec<{ workflowId: string; windowS: number }>(
    409,
    'SERVER_ERROR',
    'never',
    (d) =>
      `Workflow "${d.workflowId}" has had the same idempotency key inside its window of ${d.windowS} s: nothing was started. Nothing needs to be sent again.`,
  ),

  template_invalid: spec<{ reason: string }>(
    400,
    'VALIDATION_ERROR',
    'never',
    (d) =>
      `${d.reason} A template is a path such as {{node.2.body.id}} or {{event.order.no || 'none'}}; move logic to a code or transform node.`,
  ),
  workflow_changed: spec<{ id: string; revision: number }>(
    409,
    'SERVER_ERROR',
    'never',
    (d) =>
      `Workflow "${d.id}" was changed by somebody else: its draft is at revision ${d.revision} now. Load it again and repeat your change.`,
  ),
  alias_taken: spec<{ alias: string }>(
    400,
    'VALIDATION_ERROR',
    'never',
    (d) => `The alias "${d.alias}" is used by another workflow of the same app. Choose another one.`,
  ),

  // Nodes and customer code
  node_failed: spec<{ reason: string }>(422, 'SERVER_ERROR', 'never', (d) => d.reason),
  code_failed: spec<{ reason: string }>(422, 'SERVER_ERROR', 'never', (d) => `The code threw: ${d.reason}`),
  code_timeout: spec<{ timeoutMs: number }>(
    422,
    'SERVER_ERROR',
    'never',
    (d) => `The code ran longer than ${d.timeoutMs} ms and was ended.`,
  ),
  code_out_of_memory: spec<{ limitMb: number }>(
    422,
    'SERVER_ERROR',
    'never',
    (d) => `The code used more than ${d.limitMb} MB and was ended.`,
  ),
  function_not_found: spec<{ id: string }>(
    404,
    'RESOURCE_NOT_FOUND',
    'never',
    (d) => `There is no function "${d.id}": it was deleted, or never existed here. Choose another one.`,
  ),
  function_input_invalid: spec<{ name: string; reason: string }>(
    422,
    'VALIDATION_ERROR',
    'never',
    (d) => `The function "${d.name}" was not called: ${d.reason}.`,
  ),
  model_provider_not_found: spec<{ name: string }>(
    404,
    'RESOURCE_NOT_FOUND',
    'never',
    (d) =>
      `There is no model provider "${d.name}" with a key in this environment. An admin adds it in the dashboard's settings (PUT /api/admin/model-providers/${d.name}).`,
  ),
  model_refused: spec<{ name: string; status: number; reason: string }>(
    502,
    'EXTERNAL_API_FAILURE',
    'never',
    (d) => `The model provider "${d.name}" answered with status ${d.status}: ${d.reason}.`,
  ),
  agent_failed: spec<{ reason: string }>(
    422,
    'SERVER_ERROR',
    'never',
    (d) => `The agent ended: ${d.reason}.`,
  ),
  sandbox_busy: spec<{ waiting: number }>(
    503,
    'SERVER_ERROR',
    'later',
    (d) => `No sandbox is free: ${d.waiting} runs wait already. Try again shortly.`,
  ),
} satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof errorCatalogue;

type DetailsOf<Code extends ErrorCode> = Parameters<(typeof errorCatalogue)[Code]['message']>[0];

/** An error with a known answer. Only `api/` turns it into HTTP. */
export class AppError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly code: Code;
  readonly details: DetailsOf<Code>;

  constructor(code: Code, details: DetailsOf<Code>, options?: { cause?: unknown }) {
    const entry = errorCatalogue[code] as unknown as ErrorSpec<DetailsOf<Code>>;
    super(entry.message(details), options);
    this.name = 'AppError';
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }

  get retry(): Retry {
    return errorCatalogue[this.code].retry;
  }
}
