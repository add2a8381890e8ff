import type { JournalRow } from '#db/journal-flush';
import type { Clock } from '#domain/clock';
import { createMasker, valuesAt, type Masked, type ValuePath } from '#domain/masking/index';
import { includedBody } from '#domain/node-output';
import type { Journal } from '#engine/journal';
import type { NodeContext, NodeOutcome } from '#engine/nodes/node-type';
import { maskedRow } from '#engine/recording/masked-row';
import { pageKeeper } from '#engine/recording/pages';
import { runVariables } from '#engine/recording/run-variables';
import type { RowVault } from '#engine/recording/sealed-parts';
import type { HistoryEntry } from '#engine/run/run-history';
import { storedValue } from '#engine/stored-value';
import type { Plan, PlanNode } from '#engine/plan/workflow-plan';

/** What a run itself gives to a node; the recorder adds the rest. */
export type BareNodeContext = Omit<NodeContext, 'variables' | 'page' | 'trace' | 'mask' | 'learnSecret'>;

/**
 * The journal of one run. It numbers the rows, shows nobody a secret, and keeps the true values sealed beside what
 * it shows, so that a run that goes on in another process never depends on the copy for people.
 */
export interface RunRecorder extends Journal {
  /** The past of the run with its true values; pages of nodes are left out. */
  readonly history: readonly HistoryEntry[];
  /** Takes over rows of a container that were left out of the history; pages of nodes are not in what it returns. */
  recall(history: readonly HistoryEntry[]): readonly HistoryEntry[];
  /** Runs one attempt of a node: gives it variables, pages and traces, and hands on only what others may have. */
  attempt(
    node: PlanNode,
    context: BareNodeContext,
    run: (context: NodeContext) => Promise<NodeOutcome | undefined>,
  ): Promise<NodeOutcome | undefined>;
  /** The value as people may see it, and what was taken out. */
  mask(value: unknown): Masked;
  /** Settings of a node as people may see them; what stands under the paths is a secret from now on. */
  maskedSettings(settings: unknown, paths: readonly ValuePath[]): unknown;
  /** A text for people, such as an error for the caller, without the secrets that the run knows. */
  shown<T>(value: T): T;
  /** An error for the server's log: what it says and where it came from, without those secrets. */
  shownError(error: unknown): Error;
}

export interface RecordedRun {
  readonly executionId: string;
  readonly tenant: JournalRow['tenant'];
  readonly plan: Plan;
  /** Rows after the first, true values filled in. */
  readonly history: readonly HistoryEntry[];
  /** Number of the last row of the execution, which may be inside a container. */
  readonly lastSeq: number;
  /** Secrets that templates of this run may read, and those that were found in what started it. */
  readonly secrets: readonly unknown[];
  /** What started it, as it was. */
  readonly payload: unknown;
  /** A test of a draft: every request is traced. */
  readonly isTest: boolean;
}

/** Opens the recorder of a run that begins or goes on here. */
export function openRecorder(
  deps: { readonly vault: RowVault; readonly clock: Clock },
  journal: Journal,
  run: RecordedRun,
): RunRecorder {
  const nodes = run.plan.byId;
  const masker = createMasker();
  const pages = pageKeeper((nodeId) => nodes.get(nodeId)?.hasPages === true);
  const variables = runVariables(run.history);
  let seq = run.lastSeq;

  /** Paths that a node itself named beside its output, until the row of the output is written. */
  const named = new Map<string, readonly ValuePath[]>();

  masker.learn(run.secrets);
  learnOutput(run.plan.nodes[run.plan.start], run.payload);
  learnOutputs(run.history);

  function learnOutputs(history: readonly HistoryEntry[]): void {
    for (const entry of history) {
      masker.learn(entry.secrets);
      if (entry.kind !== 'start') learnOutput(nodes.get(entry.nodeId), entry.output);
    }
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
    const place = `${row.batch}:${row.nodeId}`;
    const also = row.kind === 'outcome' ? named.get(place) : undefined;
    if (also !== undefined) named.delete(place);
    return maskedRow(deps.vault, masker, nodes.get(row.nodeId)?.output, numbered, also);
  }

  return {
    history: pages.keep(run.history),
    recall(history) {
      learnOutputs(history);
      return pages.keep(history);
    },
    add: (row) => journal.add(recorded(row)),
    addAndCommit: (row) => journal.addAndCommit(recorded(row)),
    end: ({ errorText, customFields, ...ending }) =>
      journal.end({
        ...ending,
        errorText: errorText === undefined ? undefined : masker.text(errorText),
        customFields: customFields && (masker.value(customFields).shown as NonNullable<typeof customFields>),
      }),
    room: () => journal.room(),
    written: (executionId) => journal.written(executionId),
    idle: () => journal.idle(),
    async attempt(node, context, attempt) {
      const outcome = await attempt({
        ...context,
        variables: variables.of(node.id, context.batch),
        mask: (value) => masker.value(value),
        learnSecret: (value) => masker.learn(value),
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
              port: 'page',
              durationMs: page.durationMs,
              output: storedValue(page.value),
              at: deps.clock.now(),
            }),
          );
        }),
        trace: node.output.isTraced || run.isTest ? (command) => context.log('curl', command) : undefined,
      });
      return handedOn(node, context.batch, outcome);
    },
    mask: (value) => masker.value(value),
    maskedSettings(settings, paths) {
      masker.learn(valuesAt(settings, paths));
      return masker.value(settings, paths).shown;
    },
    shownError(error) {
      const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
      return Object.assign(new Error(masker.text(message)), { name, stack: masker.text(stack ?? '') });
    },
    shown: (value) => (masker.isEmpty ? value : (masker.value(value).shown as typeof value)),
  };

  function handedOn(
    node: PlanNode,
    batch: string,
    outcome: NodeOutcome | undefined,
  ): NodeOutcome | undefined {
    if (outcome?.kind !== 'done' && outcome?.kind !== 'respond') return outcome;
    if (outcome.kind === 'done' && outcome.encrypted !== undefined) {
      masker.learn(valuesAt(outcome.body, outcome.encrypted));
      named.set(`${batch}:${node.id}`, outcome.encrypted);
    }
    const body = includedBody(node.output, outcome.body);
    learnOutput(node, body);
    return { ...outcome, body };
  }
}
