import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from './clock.ts';
import { newId } from './ids.ts';
import type { Log } from './log.ts';
import type { Stats } from './stats.ts';
import type { Store } from './store.ts';

const eventTypes = [
  'contact.created',
  'contact.updated',
  'contact.deleted',
  'deal.created',
  'deal.updated',
  'deal.deleted',
] as const;
type EventType = (typeof eventTypes)[number];
/** What a subscription may name: one event or all of a kind. */
export const eventPatterns = [...eventTypes, 'contact.*', 'deal.*'] as const;

interface Subscription {
  id: string;
  url: string;
  events: string[];
  created_at: string;
}

export interface Webhooks {
  subscribe(input: {
    companyId: string;
    appId: string;
    url: string;
    events: readonly string[];
  }): Subscription & { secret: string };
  list(owner: { companyId: string; appId: string }): Subscription[];
  unsubscribe(owner: { companyId: string; appId: string; id: string }): boolean;
  /** Records a change for every subscriber; called in the transaction that makes the change. */
  publish(event: { companyId: string; type: EventType; data: object }): void;
  stop(): Promise<void>;
}

interface SubscriptionRow {
  id: string;
  url: string;
  events: string;
  secret: string;
  created_at: string;
}

interface Due {
  id: string;
  subscription_id: string;
  body: string;
  attempts: number;
  url: string;
  secret: string;
}

const atOnce = 8;
const requestTimeoutMs = 10_000;

/** Waits between attempts: the first retry after a second, the last after five minutes. */
export const defaultRetryDelaysMs: readonly number[] = [1_000, 5_000, 30_000, 120_000, 300_000];

/** The signature of Standard Webhooks (standardwebhooks.com, "Signature scheme"): HMAC-SHA256 of id.timestamp.body. */
function sign(secret: string, id: string, timestamp: number, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
}

/** Keeps subscriptions and delivers changes to them: signed, at least once, retried, not in order. */
export function startWebhooks(deps: {
  store: Store;
  clock: Clock;
  stats: Stats;
  log: Log;
  retryDelaysMs: readonly number[];
}): Webhooks {
  const { store, clock, stats, retryDelaysMs } = deps;
  const inFlight = new Map<string, Promise<void>>();
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;

  const now = () => clock.now().getTime();

  function wakeIn(ms: number): void {
    if (stopping.signal.aborted) return;
    clearTimeout(timer);
    timer = setTimeout(pump, Math.min(ms, 60_000));
  }

  function pump(): void {
    if (stopping.signal.aborted) return;
    const due = store.all<Due>(
      `select d.id, d.subscription_id, d.body, d.attempts, s.url, s.secret
       from webhook_delivery d join webhook_subscription s on s.id = d.subscription_id
       where d.state = 'pending' and d.due_at <= ? order by d.due_at limit ?`,
      now(),
      atOnce * 2,
    );
    for (const delivery of due) {
      if (inFlight.size >= atOnce) return;
      if (inFlight.has(delivery.id)) continue;
      const work = deliver(delivery).finally(() => {
        inFlight.delete(delivery.id);
        wakeIn(0);
      });
      inFlight.set(delivery.id, work);
    }
    const next = store.one<{ due_at: number }>(
      `select due_at from webhook_delivery where state = 'pending' and due_at > ? order by due_at limit 1`,
      now(),
    );
    if (next !== undefined) wakeIn(next.due_at - now());
  }

  async function deliver(delivery: Due): Promise<void> {
    const { id, body, url } = delivery;
    const status = await post(delivery);
    if (stopping.signal.aborted) return;
    if (status !== undefined && status >= 200 && status < 300) {
      stats.webhook('delivered');
      store.run(`update webhook_delivery set state = 'delivered', attempts = attempts + 1 where id = ?`, id);
      return;
    }
    stats.webhook('failedAttempts');
    const { type } = JSON.parse(body) as { type: string };
    deps.log(`webhook ${type} to ${new URL(url).host} failed: ${status ?? 'no answer'}`);
    // 410 Gone is how a receiver ends a subscription (Standard Webhooks, "Delivery").
    if (status === 410) {
      store.run('delete from webhook_subscription where id = ?', delivery.subscription_id);
      return;
    }
    const delay = retryDelaysMs[delivery.attempts];
    if (delay === undefined) stats.webhook('gaveUp');
    store.run(
      'update webhook_delivery set state = ?, attempts = attempts + 1, due_at = ? where id = ?',
      delay === undefined ? 'failed' : 'pending',
      now() + (delay ?? 0),
      id,
    );
  }

  async function post({ id, body, url, secret }: Due): Promise<number | undefined> {
    const timestamp = Math.floor(now() / 1000);
    try {
      const response = await fetch(url, {
        method: 'POST',
        body,
        redirect: 'manual',
        signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(requestTimeoutMs)]),
        headers: {
          'content-type': 'application/json',
          'user-agent': 'AcmeCRM-Webhooks/1',
          'webhook-id': id,
          'webhook-timestamp': String(timestamp),
          'webhook-signature': sign(secret, id, timestamp, body),
        },
      });
      await response.body?.cancel();
      return response.status;
    } catch {
      // Refused, reset, timed out: all are "no answer" and are tried again.
      return undefined;
    }
  }

  // Deliveries that were waiting when the program stopped.
  wakeIn(0);

  return {
    subscribe({ companyId, appId, url, events }) {
      const id = newId('sub');
      const secret = `whsec_${randomBytes(24).toString('base64')}`;
      const created_at = clock.now().toISOString();
      const values = [id, companyId, appId, url, JSON.stringify(events), secret, created_at];
      store.run('insert into webhook_subscription values (?, ?, ?, ?, ?, ?, ?)', ...values);
      return { id, url, events: [...events], created_at, secret };
    },
    list({ companyId, appId }) {
      const sql =
        'select * from webhook_subscription where company_id = ? and app_id = ? order by created_at, id';
      const rows = store.all<SubscriptionRow>(sql, companyId, appId);
      return rows.map(({ id, url, events, created_at }) => ({
        id,
        url,
        events: JSON.parse(events),
        created_at,
      }));
    },
    unsubscribe({ companyId, appId, id }) {
      const sql = 'delete from webhook_subscription where company_id = ? and app_id = ? and id = ?';
      return store.run(sql, companyId, appId, id) === 1;
    },
    publish({ companyId, type, data }) {
      const event = {
        id: newId('evt'),
        type,
        timestamp: clock.now().toISOString(),
        company_id: companyId,
        data,
      };
      const sql = 'select * from webhook_subscription where company_id = ?';
      for (const subscription of store.all<SubscriptionRow>(sql, companyId)) {
        const events = JSON.parse(subscription.events) as string[];
        if (!events.includes(type) && !events.includes(`${type.split('.')[0]}.*`)) continue;
        store.run(
          'insert into webhook_delivery (id, subscription_id, body, due_at) values (?, ?, ?, ?)',
          newId('msg'),
          subscription.id,
          JSON.stringify(event),
          now(),
        );
        wakeIn(0);
      }
    },
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await Promise.all(inFlight.values());
    },
  };
}
