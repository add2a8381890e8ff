/**
 * Every column that holds sealed values, in one table: `keys rotate` walks it, and `sealContext` binds a value to
 * its row. A new sealed column belongs here, or rotation would leave it behind.
 */
export const sealedColumns = {
  'agent_memory.content_sealed': { key: ['org_id', 'environment', 'run_key', 'role'] },
  'agent_step.entry_sealed': { key: ['org_id', 'environment', 'run_key', 'seq'] },
  'api_key.key_sealed': { key: ['id'] },
  'app_setting.client_secret_sealed': { key: ['org_id', 'environment', 'app_slug'] },
  'connection.credential_sealed': { key: ['id'] },
  'custom_action.tls_sealed': { key: ['id'] },
  'data_record.fields_sealed': { key: ['table_id', 'id'] },
  'human_task.answer_sealed': { key: ['id'] },
  'human_task.form_sealed': { key: ['id'] },
  'human_task.mail_sealed': { key: ['id'] },
  'journal.secrets_sealed': { key: ['execution_id', 'seq'] },
  'linked_account.org_credentials_sealed': { key: ['id'] },
  'mail_setting.password_sealed': { key: ['org_id', 'environment'] },
  'model_provider.key_sealed': { key: ['org_id', 'environment', 'name'] },
  'oauth_state.flow_sealed': { key: ['state_hash'] },
  'trigger_secret.secret_sealed': { key: ['id'] },
  'app_webhook.secrets_sealed': { key: ['id'] },
  'alert_rule.target_sealed': { key: ['id'] },
  'recovery_record.given_sealed': { key: ['id'] },
  'own_api_token.token_sealed': { key: ['org_id', 'environment', 'linked_account_id'] },
  'recovery_record.secrets_sealed': { key: ['id'] },
  'variable_value.value_sealed': { key: ['id'] },
  'wait.payload_sealed': { key: ['id'] },
  'wait_arrival.payload_sealed': { key: ['id'] },
} as const satisfies Record<`${string}.${string}`, { readonly key: readonly string[] }>;

export type SealedColumn = keyof typeof sealedColumns;

/**
 * The associated data of one sealed value: its column and its row's key, in the order of `sealedColumns`.
 *
 * @param key - texts as they are, bytes (a hash) as hex.
 */
export function sealContext(column: SealedColumn, ...key: readonly string[]): string {
  const wanted = sealedColumns[column].key.length;
  if (key.length !== wanted) throw new TypeError(`sealContext("${column}") takes ${wanted} key parts`);
  return [column, ...key.map(encodeURIComponent)].join(':');
}
