import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import type { Clock } from '../clock.ts';
import type { Store } from '../store.ts';
import { clientMetadata } from './clients.ts';

interface Artifact {
  payload: string;
  consumed_at: number | null;
}

/** Answers whether a stored refresh token should look gone; set by a fault. */
export type RefreshRefusal = (token: { clientId: string; accountId: string }) => boolean;

/** Deletes everything issued under a grant, and the grant: what was handed out stops working at once. */
export function revokeGrant(store: Store, grantId: string): void {
  store.run(
    `delete from oauth_artifact where grant_id = ? or (model = 'Grant' and id = ?)`,
    grantId,
    grantId,
  );
}

/** Deletes what has expired; called now and then. */
export function sweepArtifacts(store: Store, clock: Clock): void {
  store.run('delete from oauth_artifact where expires_at <= ?', Math.floor(clock.now().getTime() / 1000));
}

/** Where oidc-provider keeps sessions, codes, tokens and grants: our store, so they survive a restart. */
export function storeAdapter(deps: {
  store: Store;
  clock: Clock;
  refuseRefresh: RefreshRefusal;
}): (model: string) => Adapter {
  const { store } = deps;
  const seconds = () => Math.floor(deps.clock.now().getTime() / 1000);

  return (model) => {
    const read = (where: string, value: string): AdapterPayload | undefined => {
      const row = store.one<Artifact>(
        `select payload, consumed_at from oauth_artifact
         where model = ? and ${where} = ? and (expires_at is null or expires_at > ?)`,
        model,
        value,
        seconds(),
      );
      if (row === undefined) return undefined;
      const payload = JSON.parse(row.payload) as AdapterPayload;
      return row.consumed_at === null ? payload : { ...payload, consumed: row.consumed_at };
    };

    const find = (id: string): AdapterPayload | undefined => {
      if (model === 'Client') return clientMetadata(store, id);
      const payload = read('id', id);
      if (model === 'RefreshToken' && payload !== undefined && payload.consumed === undefined) {
        const token = { clientId: payload.clientId ?? '', accountId: payload.accountId ?? '' };
        if (deps.refuseRefresh(token)) return undefined;
      }
      return payload;
    };

    return {
      async upsert(id, payload, expiresIn) {
        store.run(
          `insert into oauth_artifact (model, id, payload, grant_id, uid, expires_at) values (?, ?, ?, ?, ?, ?)
           on conflict (model, id) do update set payload = excluded.payload, grant_id = excluded.grant_id,
             uid = excluded.uid, expires_at = excluded.expires_at`,
          model,
          id,
          JSON.stringify(payload),
          payload.grantId ?? null,
          payload.uid ?? null,
          expiresIn ? seconds() + expiresIn : null,
        );
      },
      find: async (id) => find(id),
      findByUid: async (uid) => read('uid', uid),
      // Only the device flow looks up by user code, and it is switched off.
      findByUserCode: async () => undefined,
      async consume(id) {
        // oidc-provider reads, decides and consumes in separate steps, so two requests can both hold an
        // unconsumed token. The update decides: the loser replayed it (RFC 9700 §4.14.2), the grant is gone.
        const sql = `update oauth_artifact set consumed_at = ? where model = ? and id = ? and consumed_at is null`;
        if (store.run(sql, seconds(), model, id) === 1) return;
        const grantId = read('id', id)?.grantId;
        if (grantId !== undefined) revokeGrant(store, grantId);
        throw new errors.InvalidGrant('token already used');
      },
      async destroy(id) {
        store.run('delete from oauth_artifact where model = ? and id = ?', model, id);
      },
      async revokeByGrantId(grantId) {
        store.run('delete from oauth_artifact where model = ? and grant_id = ?', model, grantId);
      },
    };
  };
}
