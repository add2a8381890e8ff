import type { JournalRow } from '#db/journal-flush';
import type { Clock } from '#domain/clock';
import { createMasker, valuesAt } from '#domain/masking/index';
import { includedBody } from '#domain/node-output';
import type { Journal } from '#engine/journal';
import type { NodeContext, NodeOutcome } from '#engine/nodes/node-type';
import { maskedRow } from '#engine/recording/masked-row';
import { pageKeeper } from '#engine/recording/pages';
import { runVariables } from '#engine/recording/run-variables';
import type { RowVault } from '#engine/recording/sealed-parts';
import type { HistoryEntry } from '#engine/run-history';
import { storedValue } from '#engine/stored-value';
import type { Plan, PlanNode } from '#engine/workflow-plan';

/** What a run itself gives to a node; the recorder adds the rest. */
export type BareNodeContext = Omit<NodeContext, 'variables' | 'page' | 'trace'>;

/**
 * The journal of one run. It numbers the rows, shows nobody a secret, and keeps the true values sealed beside what
 * it shows, so that a run that goes on in another process never depends on the copy for people.
 */
export interface RunRecorder extends Journal {
  /** The past of the run with its true values; pages of nodes are left out. */
  readonly history: readonly HistoryEntry[];
  /** Runs one attempt of a node: gives it variables, pages and traces, and hands on only what others may have. */
  attempt(
    node: PlanNode,
    context: BareNodeContext,
    run: (context: NodeContext) => Promise<NodeOutcome | undefined>,
  ): Promise<NodeOutcome | undefined>;
  /** A text for people, such as an error for the caller, without the secrets that the run knows. */
  shown<T>(value: T): T;
}

export interface RecordedRun {
  readonly executionId: string;
  readonly tenant: JournalRow['tenant'];
  readonly plan: Plan;
  /** All rows after the first, true values filled in. */
  readonly history: readonly HistoryEntry[];
  /** Secrets that templates of this run may read. */
  readonly secrets: readonly unknown[];
  /** A test of a draft: every request is traced. */
  readonly isTest: boolean;
}

/** Opens the recorder of a run that begins or goes on here. */
export function openRecorder(
  deps: { readonly vault: RowVault; readonly clock: Clock },
  journal: Journal,
  run: RecordedRun,
): RunRecorder {
  const nodes = new Map(run.plan.nodes.map((node) => [node.id, node]));
  const masker = createMasker();
  const pages = pageKeeper(run.history, (nodeId) => nodes.get(nodeId)?.hasPages === true);
  const variables = runVariables(run.history);
  let seq = run.history.reduce((last, entry) => Math.max(last, entry.seq), 0);

  masker.learn(run.secrets);
  for (const entry of run.history) {
    if (entry.kind !== 'start') learnOutput(nodes.get(entry.nodeId), entry.output);
  }

  function learnOutput(node: PlanNode | undefined, body: unknown): void {
    if (node === undefined || node.output.encrypt.length === 0) return;
    masker.learn(valuesAt(body, node.output.encrypt));
  }

  /** The next row of the run, as it may be shown. */
  function recorded(row: JournalRow): JournalRow {
    seq += 1;
    const set = row.kind === 'outcome' ? variables.takeSet(row.nodeId, row.batch) : undefined;
    const numbered = { ...row, seq, ...(set !== undefined && { variables: JSON.stringify(set) }) };
    return maskedRow(deps.vault, masker, nodes.get(row.nodeId)?.output, numbered);
  }

  return {
    history: pages.otherHistory,
    add: (row) => journal.add(recorded(row)),
    addAndCommit: (row) => journal.addAndCommit(recorded(row)),
    end: ({ errorText, ...ending }) =>
      journal.end({ ...ending, errorText: errorText === undefined ? undefined : masker.text(errorText) }),
    idle: () => journal.idle(),
    async attempt(node, context, attempt) {
      const outcome = await attempt({
        ...context,
        variables: variables.of(node.id, context.batch),
        page: pages.of(context, (page) => {
          learnOutput(node, page.value);
          journal.add(
            recorded({
              executionId: run.executionId,
              seq: 0,
              tenant: run.tenant,
              nodeId: node.id,
              batch: page.batch,
              batchIndex: page.index,
              attempt: context.attempt,
              kind: 'batch',
              status: 'success',
              durationMs: page.durationMs,
              output: storedValue(page.value),
              at: deps.clock.now(),
            }),
          );
        }),
        trace: node.output.isTraced || run.isTest ? (command) => context.log('curl', command) : undefined,
      });
      return handedOn(node, outcome);
    },
    shown: (value) => (masker.isEmpty ? value : (masker.value(value).shown as typeof value)),
  };

  function handedOn(node: PlanNode, outcome: NodeOutcome | undefined): NodeOutcome | undefined {
    if (outcome === undefined || outcome.kind === 'failed' || !('body' in outcome)) return outcome;
    const body = includedBody(node.output, outcome.body);
    learnOutput(node, body);
    return { ...outcome, body };
  }
}
