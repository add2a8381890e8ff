import type { StoredJournalRow } from '#db/execution-claim';
import type { JournalKind, JournalStatus } from '#db/schema';
import type { OpenRow } from '#engine/recording/sealed-parts';

/** One journal row as a run reads it back. Large values are filled in. */
export interface HistoryEntry {
  readonly seq: number;
  readonly nodeId: string;
  /** Path of the iterations around the node; '' at the root. */
  readonly batch: string;
  /** Position among its siblings, only of an iteration or a page that ended. */
  readonly batchIndex: number | null;
  readonly attempt: number;
  readonly kind: JournalKind;
  readonly status: JournalStatus | null;
  readonly port: string | null;
  readonly statusCode: number | null;
  readonly durationMs: number | null;
  readonly input: unknown;
  readonly output: unknown;
  readonly error: { readonly message: string; readonly status?: number; readonly body?: unknown } | null;
  readonly console: readonly { readonly level: string; readonly text: string }[] | null;
  readonly retryAt: Date | null;
  /** Variables of the run that the step set. */
  readonly variables: Readonly<Record<string, unknown>> | null;
  /** Secrets in the values above; none unless they were opened. */
  readonly secrets: readonly unknown[];
  readonly at: Date;
}

/** What is known of a node that has not finished: how often it was tried, and whether one try has no outcome. */
export interface NodePast {
  readonly attempts: number;
  /** Attempts that ended and are to be repeated. */
  readonly failures: number;
  /** Attempts whose worker died before it could say how they ended. */
  readonly unknown: number;
  readonly retryAt: Date | undefined;
  /** When the first attempt was made; undefined: none was. */
  readonly begunAt: Date | undefined;
}

const noPast: NodePast = { attempts: 0, failures: 0, unknown: 0, retryAt: undefined, begunAt: undefined };

/** The past of one node from the rows of its execution. */
export function nodePast(history: readonly HistoryEntry[], nodeId: string): NodePast {
  const rows = history.filter((entry) => entry.nodeId === nodeId);
  if (rows.length === 0) return noPast;
  const starts = rows.filter((entry) => entry.kind === 'start');
  const ended = rows.filter((entry) => entry.kind === 'outcome');
  const endedAttempts = new Set(ended.map((entry) => entry.attempt));
  return {
    attempts: Math.max(...rows.map((entry) => entry.attempt)),
    failures: ended.filter((entry) => entry.status === 'retrying').length,
    unknown: starts.filter((entry) => !endedAttempts.has(entry.attempt)).length,
    retryAt: ended.findLast((entry) => entry.status === 'retrying')?.retryAt ?? undefined,
    begunAt: starts[0]?.at,
  };
}

/**
 * Journal rows in order; large values are put back in their place.
 *
 * @param open - `rowOpener` for a run, which needs the true values; without it they stay as people may see them
 */
export function historyOf(rows: readonly StoredJournalRow[], open: OpenRow = shownOnly): HistoryEntry[] {
  return rows.map((row) => ({
    seq: row.seq,
    nodeId: row.node_id,
    batch: row.batch,
    batchIndex: row.batch_index,
    attempt: row.attempt,
    kind: row.kind,
    status: row.status,
    port: row.port,
    statusCode: row.status_code,
    durationMs: row.duration_ms,
    ...open({
      execution_id: row.execution_id,
      seq: row.seq,
      secrets_sealed: row.secrets_sealed,
      input: wholeValue(row.input, row.input_text),
      output: wholeValue(row.output, row.output_text),
      error: row.error,
      variables: row.variables,
    }),
    console: row.console,
    retryAt: row.retry_at,
    at: row.at,
  }));
}

const shownOnly: OpenRow = ({ input, output, error, variables }) => ({
  input,
  output,
  error,
  variables,
  secrets: [],
});

function wholeValue(inRow: unknown, inBlob: string | null): unknown {
  return inBlob === null ? inRow : (JSON.parse(inBlob) as unknown);
}

/** The caller's headers, kept as the input of the first row when the workflow was to see them. */
export function triggerHeaders(trigger: HistoryEntry | undefined): Record<string, unknown> | undefined {
  return (trigger?.input as { headers?: Record<string, unknown> } | null | undefined)?.headers;
}
