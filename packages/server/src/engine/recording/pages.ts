import type { NodeContext } from '#engine/nodes/node-type';
import type { HistoryEntry } from '#engine/run/run-history';

/** One page as the journal keeps it. */
export interface KeptPage {
  readonly index: number;
  /** Path of the page: the node's own, and its number. */
  readonly batch: string;
  readonly value: unknown;
  readonly durationMs: number;
}

/** A page that is in the journal is not asked for again, whether the node or its process failed after it. */
export function pageKeeper(hasPages: (nodeId: string) => boolean): {
  /** Remembers the pages in a history, and returns the rest of it. */
  keep(history: readonly HistoryEntry[]): readonly HistoryEntry[];
  of(context: Pick<NodeContext, 'nodeId' | 'batch'>, keep: (page: KeptPage) => void): NodeContext['page'];
} {
  const isPage = (entry: HistoryEntry): boolean => entry.kind === 'batch' && hasPages(entry.nodeId);
  const kept = new Map<string, unknown>();
  return {
    keep(history) {
      for (const entry of history) if (isPage(entry)) kept.set(entry.batch, entry.output);
      return kept.size === 0 ? history : history.filter((entry) => !isPage(entry));
    },
    of: (context, keep) =>
      async function page<T>(index: number, read: () => Promise<T>): Promise<T> {
        const batch = pathOf(context, index);
        if (kept.has(batch)) return kept.get(batch) as T;
        const startedAt = performance.now();
        const value = await read();
        kept.set(batch, value);
        keep({ index, batch, value, durationMs: Math.round(performance.now() - startedAt) });
        return value;
      },
  };
}

function pathOf({ batch, nodeId }: Pick<NodeContext, 'nodeId' | 'batch'>, index: number): string {
  return `${batch === '' ? '' : `${batch}/`}${nodeId}:${index}`;
}
