import type { Logger } from 'pino';
import type { Pool } from 'pg';
import { settleDelivery, type ClaimedDelivery } from '#db/webhook-delivery';
import { AppError } from '#domain/errors';
import { readAddresses, type Mail } from '#mail/index';
import { sendWebhook, type Sent, type SendWebhookDeps } from '#webhooks/send-webhook';

export interface DeliverDeps extends SendWebhookDeps {
  readonly pool: Pool;
  readonly log: Pick<Logger, 'warn'>;
  readonly mail: Pick<Mail, 'send'>;
}

/** Waits after the first, second and third attempt; after the fourth it is given up. */
const waitsMs = [10_000, 100_000, 1_000_000] as const;
const longestAskedWaitMs = 3_600_000;

/**
 * Sends a delivery once and notes what came of it. It arrives at least once: the receiver knows a second time by
 * `webhook-id`, a mailbox by the Message-ID.
 *
 * @returns whether it was taken
 */
export async function deliver(deps: DeliverDeps, delivery: ClaimedDelivery): Promise<boolean> {
  const sent = await attempt(deps, delivery);
  const at = deps.clock.now();
  const waitMs = delivery.isTest ? undefined : waitsMs[delivery.attempt - 1];
  if (sent.isTaken) {
    await settleDelivery(deps.pool, delivery, { status: 'sent', at }, sent);
  } else if (sent.isFinal === true || waitMs === undefined) {
    await settleDelivery(deps.pool, delivery, { status: 'failed', at }, sent);
  } else {
    const asked = Math.min(sent.retryAfterMs ?? 0, longestAskedWaitMs);
    const wait = Math.max(asked, waitMs * (0.75 + Math.random() / 2));
    await settleDelivery(
      deps.pool,
      delivery,
      { status: 'pending', nextAt: new Date(at.getTime() + wait) },
      sent,
    );
  }
  return sent.isTaken;
}

async function attempt(deps: DeliverDeps, delivery: ClaimedDelivery): Promise<Sent> {
  const { rule } = delivery;
  if (!rule.isEnabled && !delivery.isTest) {
    return { isTaken: false, isFinal: true, error: 'The rule was switched off before this was sent.' };
  }
  if ((rule.kind === 'email') !== (delivery.channel === 'email')) {
    return { isTaken: false, isFinal: true, error: 'The rule has become one of another kind.' };
  }
  try {
    return await (rule.kind === 'email' ? sendMail(deps, delivery) : sendWebhook(deps, delivery));
  } catch (error) {
    if (error instanceof AppError) return { isTaken: false, error: error.message };
    deps.log.warn({ err: error, deliveryId: delivery.id }, 'A delivery could not be sent.');
    return { isTaken: false, error: 'Something went wrong on our side; the log of the server says what.' };
  }
}

async function sendMail(deps: DeliverDeps, delivery: ClaimedDelivery): Promise<Sent> {
  const { count, content, rule, orgId, environment } = delivery;
  const to = readAddresses(rule.recipients);
  if (typeof to === 'string') return { isTaken: false, isFinal: true, error: `recipients: ${to}` };
  const lines = content.split('\n').length;
  const more = count > lines ? `\n… and ${count - lines} more` : '';
  const subject = `[${environment}] ${rule.name}: ${count === 1 ? delivery.event : `${count} events`}`;
  const request = { to: rule.recipients, subject, body: content };
  const result = await deps.mail.send(
    { orgId, environment },
    { to, subject, text: `${content}${more}\n`, idempotencyKey: `alert:${delivery.repeatOf ?? delivery.id}` },
  );
  if (!result.isSent)
    return { isTaken: false, isFinal: result.retry === 'never', request, error: result.message };
  const { messageId, accepted, rejected, smtpHost } = result;
  const refused = rejected.length === 0 ? {} : { error: `Refused for ${rejected.join(', ')}.` };
  return {
    isTaken: true,
    request,
    response: { message_id: messageId, accepted, rejected, smtp_host: smtpHost },
    ...refused,
  };
}
