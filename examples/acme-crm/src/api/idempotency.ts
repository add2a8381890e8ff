import type { Clock } from '../clock.ts';
import { digest } from '../ids.ts';
import type { Store } from '../store.ts';
import { ApiError } from './errors.ts';

const keptMs = 24 * 3_600_000;

export interface Answer {
  status: number;
  body: unknown;
  isReplay: boolean;
}

interface Row {
  fingerprint: string;
  status: number;
  body: string;
}

/**
 * Does `work` once for a key and gives the same answer again for 24 hours. The work and its answer are
 * stored in one transaction, so a crash leaves both or neither. Refusals are not stored: the caller may
 * correct the request and send it again with the same key.
 */
export function once(
  deps: { store: Store; clock: Clock },
  request: { principalId: string; key: string | undefined; route: string; input: unknown },
  work: () => { status: number; body: unknown },
): Answer {
  const { store, clock } = deps;
  const { principalId, key } = request;
  if (key === undefined) return { ...store.transaction(work), isReplay: false };
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new ApiError(
      400,
      'bad_idempotency_key',
      'Idempotency-Key must be 1 to 255 visible ASCII characters.',
    );
  }
  const fingerprint = digest(JSON.stringify([request.route, request.input]));
  return store.transaction(() => {
    const now = clock.now().getTime();
    store.run('delete from idempotency where expires_at <= ?', now);
    const sql = 'select fingerprint, status, body from idempotency where principal = ? and key = ?';
    const known = store.one<Row>(sql, principalId, key);
    if (known !== undefined && known.fingerprint !== fingerprint) {
      const message = `The Idempotency-Key "${key}" was used for another request. Use a new key for a new request.`;
      throw new ApiError(422, 'idempotency_key_reused', message);
    }
    if (known !== undefined) return { status: known.status, body: JSON.parse(known.body), isReplay: true };
    const { status, body } = work();
    const values = [principalId, key, fingerprint, status, JSON.stringify(body), now + keptMs];
    store.run('insert into idempotency values (?, ?, ?, ?, ?, ?)', ...values);
    return { status, body, isReplay: false };
  });
}
