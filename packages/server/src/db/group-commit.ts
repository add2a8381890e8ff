/**
 * Turns many small writes into few large ones without a timer: while one commit is on its way everything that
 * arrives waits, and goes together in the next. An idle system commits one item at once, a loaded one hundreds.
 */
export interface GroupCommit<Item, Result> {
  /** Adds an item and waits until it is committed. */
  commit(item: Item): Promise<Result>;
  /** Resolves when nothing is waiting or on its way. */
  idle(): Promise<void>;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * @param write - writes (or reads) a batch at once; one result an item, in order
 * @param maxItems - the largest batch
 * @param isEager - the first item of an idle time goes alone, at once, without waiting for its turn's others
 */
export function groupCommit<Item, Result>(
  write: (items: readonly Item[]) => Promise<readonly Result[]>,
  maxItems: number,
  { isEager = false }: { readonly isEager?: boolean } = {},
): GroupCommit<Item, Result> {
  let queue: Waiting<Item, Result>[] = [];
  let running: Promise<void> | undefined;

  async function drain(): Promise<void> {
    // Everything that arrives in the same turn of the event loop belongs to the first batch.
    if (!isEager) await new Promise((resolve) => setImmediate(resolve));
    while (queue.length > 0) {
      const batch = queue.slice(0, maxItems);
      queue = queue.slice(maxItems);
      await settle(batch);
    }
    running = undefined;
  }

  async function settle(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await write(batch.map(({ item }) => item));
      for (const [index, waiting] of batch.entries()) waiting.resolve(results[index]!);
    } catch (error) {
      if (batch.length === 1 || !isFaultOfOneItem(error)) {
        for (const waiting of batch) waiting.reject(error);
        return;
      }
      // One item that the database refuses must not take its neighbours with it.
      for (const waiting of batch) await settle([waiting]);
    }
  }

  return {
    commit(item) {
      return new Promise((resolve, reject) => {
        queue.push({ item, resolve, reject });
        running ??= drain();
      });
    },
    async idle() {
      await running;
    },
  };
}

/** SQLSTATE classes 22 (data) and 23 (constraint), and refusals of our own: they name one item, not the connection. */
function isFaultOfOneItem(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && (/^2[23]...$/.test(code) || !/^[0-9A-Z]{5}$|^E[A-Z]+$/.test(code));
}
