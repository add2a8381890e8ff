type Payload = Readonly<Record<string, unknown>>;

/**
 * A payload in words, on one line, for Slack and mail.
 *
 * @param origin - of the dashboard
 */
export function summaryOf(payload: Payload, origin: string): string {
  const { event, environment } = payload;
  const head = `${text(event)} (${text(environment)})`;
  if (payload['instance_id'] !== undefined) return `${head}: ${endInWords(payload, origin)}`;
  if (payload['linked_account_id'] !== undefined) {
    const next = event === 'Connection Expired' ? '; the account has to authorize again' : '';
    return `${head}: ${text(payload['slug'])} of ${text(payload['linked_account_id'])}${next}`;
  }
  if (payload['window_minutes'] !== undefined) return `${head}: ${windowInWords(payload)}`;
  return `${head}: the rule "${text(payload['rule'])}" is set up and reaches you`;
}

function endInWords(payload: Payload, origin: string): string {
  const error = payload['error'] as { readonly message?: unknown } | undefined;
  const name = payload['workflow_name'] ?? payload['workflow_id'];
  const why = error === undefined ? '' : `: ${text(error.message).replaceAll(/\s+/g, ' ').slice(0, 300)}`;
  const link = `${origin}/${text(payload['environment'])}/logs/executions/${text(payload['instance_id'])}`;
  return `"${text(name)}" for ${text(payload['linked_account_id'])}${why} ${link}`;
}

function windowInWords(payload: Payload): string {
  const minutes = `${text(payload['window_minutes'])} minutes`;
  const rule = `"${text(payload['rule'])}"`;
  if (payload['ended'] !== undefined) {
    const counted = `${text(payload['failed'])} of ${text(payload['ended'])} executions failed in the last ${minutes}`;
    return `${rule}: ${counted} (threshold ${text(payload['threshold_percent'])} %)`;
  }
  const last = payload['last_completed_at'];
  const known = last === null ? 'none since the rule was made' : `the last one at ${text(last)}`;
  return payload['event'] === 'Workflow Not Run'
    ? `${rule}: no execution completed within ${minutes}; ${known}`
    : `${rule}: an execution completed again at ${text(last)}`;
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
