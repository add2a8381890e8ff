import { AppError } from '#domain/errors';

/** Who may use how many of the sandbox's processes at once. */
export interface ProcessShares {
  /**
   * Waits until the organisation uses fewer than its share; what it returns ends the use. Runs of one organisation
   * enter in their order.
   *
   * @throws AppError `sandbox_busy`; the signal's reason when it is aborted first
   */
  enter(organization: string | undefined, signal: AbortSignal | undefined): Promise<() => void>;
  /** Everybody who waits is refused. */
  close(): void;
}

interface Use {
  running: number;
  readonly waiting: PromiseWithResolvers<void>[];
}

const longestQueue = 1_000;

/**
 * Leaves one process to the others: code that loops until its time is up, in however many runs of one organisation,
 * holds up that organisation alone. Where there is a single process it can only be shared in turn.
 */
export function processShares(processes: number): ProcessShares {
  const share = Math.max(1, processes - 1);
  const uses = new Map<string, Use>();

  function leave(organization: string, use: Use): void {
    const next = use.waiting.shift();
    if (next !== undefined) return next.resolve(); // takes the place over
    use.running -= 1;
    if (use.running === 0) uses.delete(organization);
    return undefined;
  }

  return {
    async enter(organization, signal) {
      if (organization === undefined) return () => undefined;
      signal?.throwIfAborted();
      const use = uses.get(organization) ?? { running: 0, waiting: [] };
      uses.set(organization, use);
      if (use.running < share) {
        use.running += 1;
        return () => leave(organization, use);
      }
      if (use.waiting.length >= longestQueue) {
        throw new AppError('sandbox_busy', { waiting: use.waiting.length });
      }
      const turn = Promise.withResolvers<void>();
      use.waiting.push(turn);
      const giveUp = (): void => {
        const at = use.waiting.indexOf(turn);
        if (at === -1) return;
        use.waiting.splice(at, 1);
        turn.reject(signal?.reason instanceof Error ? signal.reason : new Error('stopped'));
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      await turn.promise.finally(() => signal?.removeEventListener('abort', giveUp));
      return () => leave(organization, use);
    },
    close() {
      for (const { waiting } of uses.values()) {
        for (const turn of waiting.splice(0)) turn.reject(new Error('The sandbox is closed.'));
      }
    },
  };
}
