import {
  findDelivery,
  insertTestDelivery,
  listDeliveries,
  repeatDelivery,
  type DeliveryDetail,
  type DeliveryRow,
} from '#db/webhook-delivery';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import { storedRule } from '#webhooks/alert-rules';
import { deliver, type DeliverDeps } from '#webhooks/deliver';
import { testEvent } from '#webhooks/events';
import { payloadOf } from '#webhooks/payload';
import { summaryOf } from '#webhooks/summary';

/** Nobody else takes it while it is being sent here. */
const claimedForMs = 180_000;

export function deliveriesOf(
  deps: Pick<DeliverDeps, 'pool'>,
  tenant: Tenant,
  of: Parameters<typeof listDeliveries>[2],
): Promise<readonly DeliveryRow[]> {
  return listDeliveries(deps.pool, tenant, of);
}

/** @throws AppError `not_found` */
export async function deliveryOf(
  deps: Pick<DeliverDeps, 'pool'>,
  tenant: Tenant,
  id: string,
): Promise<DeliveryDetail> {
  const delivery = await findDelivery(deps.pool, tenant, id);
  if (delivery === undefined) throw new AppError('not_found', { what: 'Alert delivery', id });
  return delivery;
}

/**
 * Sends a trial of a rule, also of one that is switched off, once and at once.
 *
 * @returns the delivery with what came of it
 * @throws AppError `not_found`
 */
export async function tryRule(deps: DeliverDeps, tenant: Tenant, ruleId: string): Promise<DeliveryDetail> {
  const rule = await storedRule(deps, tenant, ruleId);
  const now = deps.clock.now();
  const payload = payloadOf(
    {
      ...tenant,
      ruleId,
      ruleName: rule.name,
      watches: rule.watches,
      kind: rule.kind,
      event: testEvent,
      executionId: null,
      detail: { rule: rule.name },
      at: now,
    },
    undefined,
  );
  const isMail = rule.kind === 'email';
  const delivery = {
    ...tenant,
    id: newId(now.getTime()),
    ruleId,
    channel: isMail ? 'email' : 'webhook',
    event: testEvent,
    executionId: null,
    content: isMail ? summaryOf(payload, new URL(deps.config.publicUrl).origin) : JSON.stringify(payload),
    count: 1,
  } as const;
  await insertTestDelivery(deps.pool, {
    ...delivery,
    nextAt: new Date(now.getTime() + claimedForMs),
    createdAt: now,
  });
  await deliver(deps, { ...delivery, attempt: 1, repeatOf: null, isTest: true, rule });
  return deliveryOf(deps, tenant, delivery.id);
}

/**
 * Sends a delivery that ended again, by a delivery of its own: receivers get the same `webhook-id`.
 *
 * @throws AppError `not_found`, `wrong_state` while it is still being tried
 */
export async function sendAgain(
  deps: Pick<DeliverDeps, 'pool' | 'clock'>,
  tenant: Tenant,
  id: string,
): Promise<DeliveryDetail> {
  await deliveryOf(deps, tenant, id);
  const now = deps.clock.now();
  const repeat = { id: newId(now.getTime()), now };
  if (!(await repeatDelivery(deps.pool, tenant, id, repeat))) {
    throw new AppError('wrong_state', { reason: `Delivery "${id}" is still being tried. Wait for its end.` });
  }
  return deliveryOf(deps, tenant, repeat.id);
}
