/** How Acme CRM tells of changes: a list by time, and webhooks signed by Standard Webhooks. */
import { createHmac } from 'node:crypto';
import {
  at,
  bodyObject,
  del,
  get,
  isRecord,
  path,
  poll,
  post,
  refuseStandardWebhook,
  webhook,
  type Webhook,
  type WebhookExample,
  webhookRequest,
} from '#kit/index';
import { byCursor, PAGE } from '#acme-crm/lists';

interface Contact {
  readonly id: string;
  readonly updated_at: string;
}

export const contactUpdated = poll({
  label: 'Contact Updated',
  help: 'A contact was added or changed.',
  every: '1m',
  overlap: '1m', // a change is listed when its transaction ends, a moment after the time it carries
  scopes: ['contacts:read'],
  list: (window) => get('/contacts', { ...PAGE, updated_since: window.since }),
  items: 'data',
  pages: byCursor,
  id: (contact: Contact) => `${contact.id}:${contact.updated_at}`, // each change counts, not each contact
  at: (contact) => contact.updated_at,
});

type EventType = `${'contact' | 'deal'}.${'created' | 'updated' | 'deleted'}`;

function recordEvent(type: EventType, label: string, help: string): Webhook {
  return webhook({
    label,
    help,
    scopes: [type.startsWith('contact') ? 'contacts:read' : 'deals:read'],
    // Several connections can be of one company; the signature then says whose subscription a call is for.
    route: {
      by(request) {
        const company = bodyObject(request)['company_id'];
        return typeof company === 'string' ? company : undefined;
      },
      of: (meta) => meta['company_id'],
    },
    setup: {
      subscribe: ({ url }) => post('/webhook-subscriptions', { url, events: [type] }),
      read: (body) => ({ id: String(at(body, 'id')), secrets: { secret: String(at(body, 'secret')) } }),
      unsubscribe: ({ id }) => del(path`/webhook-subscriptions/${id}`),
    },
    verify: (request, secrets, now) => refuseStandardWebhook(request, secrets['secret'] ?? '', now),
    events(request) {
      const { id, type: happened, timestamp, data } = bodyObject(request);
      if (happened !== type || typeof id !== 'string' || !isRecord(data)) return [];
      return [{ id, data: { type: happened, timestamp, ...data } }];
    },
    example: () => exampleCall(type),
  });
}

export const contactCreated = recordEvent('contact.created', 'Contact Created', 'A contact was added.');
export const contactChanged = recordEvent('contact.updated', 'Contact Changed', 'A contact was changed.');
export const contactDeleted = recordEvent('contact.deleted', 'Contact Deleted', 'A contact was deleted.');
export const dealCreated = recordEvent('deal.created', 'Deal Created', 'A deal was added.');
export const dealChanged = recordEvent('deal.updated', 'Deal Changed', 'A deal was changed.');
export const dealDeleted = recordEvent('deal.deleted', 'Deal Deleted', 'A deal was deleted.');

/** A call as Acme CRM makes it. */
function exampleCall(type: EventType): WebhookExample {
  const now = new Date('2026-03-02T19:00:00Z');
  const timestamp = String(now.getTime() / 1000);
  const secret = `whsec_${Buffer.from('an example, not a secret').toString('base64')}`;
  const rawBody = JSON.stringify({
    id: 'evt_01',
    type,
    timestamp: now.toISOString(),
    company_id: 'analytical-engines',
    data: { id: 'con_01', name: 'Mary Somerville', email: 'mary@example.com' },
  });
  const signature = createHmac('sha256', Buffer.from('an example, not a secret'))
    .update(`msg_01.${timestamp}.${rawBody}`)
    .digest('base64');
  return {
    now,
    secrets: { secret },
    request: webhookRequest({
      method: 'POST',
      url: 'https://inlay.example/api/v1/webhook/acme-crm/65f0c0ffee0000000000c0de',
      headers: {
        'webhook-id': 'msg_01',
        'webhook-timestamp': timestamp,
        'webhook-signature': `v1,${signature}`,
        'content-type': 'application/json',
      },
      rawBody,
    }),
  };
}
