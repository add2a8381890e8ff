import type { HistoryEntry } from '#engine/run/run-history';

/** Values that a run keeps by name: `workflow.setVariable` and `workflow.getVariable` of custom code. */
export interface RunVariables {
  /** All of them, as they are now. */
  read(): Readonly<Record<string, unknown>>;
  /** Sets some; they are in the journal with the outcome of the node that set them. */
  set(values: Readonly<Record<string, unknown>>): void;
}

/** The variables of one run over all its nodes and iterations; the one that ends later wins. */
export function runVariables(history: readonly HistoryEntry[]): {
  of(nodeId: string, batch: string): RunVariables;
  /** What a node set since its last outcome. */
  takeSet(nodeId: string, batch: string): Readonly<Record<string, unknown>> | undefined;
} {
  let all = variablesOf(history);
  const sets = new Map<string, Readonly<Record<string, unknown>>>();
  return {
    of(nodeId, batch) {
      const key = `${batch}:${nodeId}`;
      return {
        read: () => all,
        set(values) {
          if (Object.keys(values).length === 0) return;
          all = { ...all, ...values };
          sets.set(key, { ...sets.get(key), ...values });
        },
      };
    },
    takeSet(nodeId, batch) {
      const key = `${batch}:${nodeId}`;
      const set = sets.get(key);
      sets.delete(key);
      return set;
    },
  };
}

/** What the rows of an execution amount to. */
export function variablesOf(
  history: readonly Pick<HistoryEntry, 'variables'>[],
): Readonly<Record<string, unknown>> {
  return Object.assign(Object.create(null), ...history.map(({ variables }) => variables)) as Record<
    string,
    unknown
  >;
}
