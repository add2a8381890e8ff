import type { QueueLine } from '#db/queue';

/** What a worker has to give when it looks for work. */
export interface ClaimRoom {
  /** Executions that it takes at most now. */
  readonly limit: number;
  /** Bytes of payload that it takes at most now; the first execution may be larger. */
  readonly bytes: number;
  /** Slots that nobody runs in, `limit` of which are to be given now. */
  readonly free: number;
  /** Slots that accounts have already, by linked account id. */
  readonly held: ReadonlyMap<string, number>;
}

interface LineRoom {
  readonly line: string;
  /** How many of the line may begin now. */
  readonly room: number;
  /** The limit of its workflow is reached: its overflow policy decides about the rest. */
  readonly isFull: boolean;
}

/**
 * Shares the slots of a worker among lines. An account may hold three times as many slots as stay free, so one alone
 * gets three quarters of a worker, two get three sevenths each, and a newcomer finds a place however many are busy
 * (dynamic thresholds: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998). Limits of accounts and
 * of workflows narrow that further.
 */
export function claimRooms(
  lines: readonly QueueLine[],
  running: { readonly accounts: ReadonlyMap<string, number>; readonly keys: ReadonlyMap<string, number> },
  { limit, free, held }: ClaimRoom,
): LineRoom[] {
  const accounts = new Map<string, number>();
  const keys = new Map<string, number>();
  const newcomers = new Set(lines.map((line) => line.linked_account_id)).size;
  for (const line of lines) {
    const { linked_account_id: account, running_limit: ofAccount, concurrency_key: key } = line;
    if (!accounts.has(account)) {
      const share = shareOf(free, held.get(account) ?? 0, newcomers);
      const left = ofAccount === null ? limit : ofAccount - (running.accounts.get(account) ?? 0);
      accounts.set(account, Math.min(share, left));
    }
    if (key !== null && !keys.has(key)) {
      keys.set(key, (line.concurrency_limit ?? limit) - (running.keys.get(key) ?? 0));
    }
  }
  const quota = Math.max(1, Math.ceil(limit / Math.max(1, lines.length)));
  return lines.map((line) => {
    const { linked_account_id: account, concurrency_key: key } = line;
    if (!line.is_ours) return { line: line.line, room: 0, isFull: false };
    const ofKey = key === null ? limit : keys.get(key)!;
    const room = Math.max(0, Math.min(quota, accounts.get(account)!, ofKey));
    accounts.set(account, accounts.get(account)! - room);
    if (key !== null) keys.set(key, ofKey - room);
    return { line: line.line, room, isFull: key !== null && ofKey <= 0 };
  });
}

const sharesOfFree = 3;

/**
 * The most that each of `accounts` accounts may take when all take as much: one more as long as it holds less than
 * three times what is free at that moment.
 */
function shareOf(free: number, held: number, accounts: number): number {
  if (held >= sharesOfFree * free) return 0;
  return Math.max(
    1,
    Math.ceil((sharesOfFree * free + sharesOfFree + 1 - held) / (1 + sharesOfFree * accounts)) - 1,
  );
}
