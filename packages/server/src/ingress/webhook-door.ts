import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { isInboxKeyTaken, triggerScope, type InboxKey } from '#db/inbox';
import { findTriggerSecret } from '#db/trigger-secret';
import { findWebhookTarget, type WebhookAddress, type WebhookTarget } from '#db/webhook-target';
import { findVersionDocument } from '#db/workflow-document';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { dedupKeyOf, readTriggerGuard, type DedupRule } from '#domain/trigger-guard';
import { readWebhookTrigger, type WebhookTrigger } from '#domain/webhook-trigger';
import { readWorkflowDocument, triggerOf } from '#domain/workflow-document';
import { createPayloadChecker, type Engine } from '#engine/index';
import { refuseCall } from '#ingress/verify-webhook';
import { sealContext, type Vault } from '#vault/index';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** An inbound webhook URL that answers: who it is for and what it asks of a call. */
export interface OpenWebhook extends WebhookTarget, WebhookTrigger {
  readonly tenant: Tenant;
  readonly configId: string;
  readonly schema: Readonly<Record<string, unknown>> | undefined;
  readonly dedup: DedupRule | undefined;
}

/** The checks of an inbound webhook URL (spec/workflows §5), for the route to call in their order. */
export interface WebhookDoor {
  /** @throws AppError `webhook_not_found` for whatever is not there, not published, not switched on, not a webhook */
  find(address: WebhookAddress): Promise<OpenWebhook>;
  /** @throws AppError `webhook_refused` */
  authenticate(webhook: OpenWebhook, headers: Headers, rawBody: Uint8Array): Promise<void>;
  /** @throws AppError `invalid_request` naming each field */
  validate(webhook: OpenWebhook, payload: unknown): void;
  /** Whether the same was here inside the window. A look only: {@link WebhookDoor.queue} decides. */
  isRepeat(webhook: OpenWebhook, payload: unknown, headers: Headers): Promise<boolean>;
  /**
   * Stores the call with the execution it starts; durable when it resolves.
   *
   * @param shownHeaders - what nodes may see of the headers; the one that authenticates is hidden here
   * @returns the execution; undefined when the trigger's conditions do not hold
   * @throws AppError `duplicate_arrival`, `queue_full`
   */
  queue(
    webhook: OpenWebhook,
    call: {
      readonly payload: unknown;
      readonly headers: Headers;
      readonly shownHeaders: Readonly<Record<string, string>> | undefined;
      readonly instanceTag: string | undefined;
    },
  ): Promise<string | undefined>;
}

interface DoorDeps {
  readonly pool: Pool;
  readonly vault: Vault;
  readonly engine: Pick<Engine, 'acceptEvent'>;
  readonly log: Pick<Logger, 'warn'>;
}

type Settings = Pick<OpenWebhook, 'auth' | 'isValidated' | 'schema' | 'dedup'>;

const mostKept = 1_000;

export function createWebhookDoor(deps: DoorDeps): WebhookDoor {
  const { pool, vault, engine, log } = deps;
  const checker = createPayloadChecker();
  // A version never changes, nor does a secret: what was read of them stays true.
  const versions = new Map<string, Settings>();
  const secrets = new Map<string, string>();

  async function settingsOf(tenant: Tenant, target: WebhookTarget): Promise<Settings> {
    const key = `${target.workflowId}/${target.version}`;
    const known = versions.get(key);
    if (known !== undefined) return known;
    const raw = await findVersionDocument(pool, tenant, target.workflowId, target.version);
    if (raw === undefined) throw notFound();
    const document = readWorkflowDocument(raw);
    const settings: Settings = {
      ...readWebhookTrigger(triggerOf(document)),
      schema: document.json_schema,
      dedup: readTriggerGuard(document).dedup,
    };
    return keep(versions, key, settings);
  }

  async function secretOf({ tenant, workflowId }: OpenWebhook, id: string): Promise<string> {
    const known = secrets.get(`${workflowId}/${id}`);
    if (known !== undefined) return known;
    const sealed = await findTriggerSecret(pool, tenant, workflowId, id);
    if (sealed === undefined) return '';
    const plain = vault.open(sealed, sealContext('trigger_secret.secret_sealed', id)).toString('utf8');
    return keep(secrets, `${workflowId}/${id}`, plain);
  }

  function keyOf(webhook: OpenWebhook, payload: unknown, headers: Headers): InboxKey | undefined {
    const found = dedupKeyOf(webhook.dedup, { payload, headers });
    if (found === undefined || 'missing' in found) return undefined;
    const scope = triggerScope(webhook.workflowId, webhook.linkedAccount.id);
    return { tenant: webhook.tenant, scope, key: found.key, windowS: found.windowS };
  }

  return {
    async find(address) {
      const target = await findWebhookTarget(pool, address);
      if (target === undefined) throw notFound();
      const { tenant } = address;
      const configId = address.configId ?? target.linkedAccount.accountId;
      return { ...target, tenant, configId, ...(await settingsOf(tenant, target)) };
    },

    async authenticate(webhook, headers, rawBody) {
      const { auth } = webhook;
      if (auth.type === 'none') return;
      const reason = refuseCall(auth, await secretOf(webhook, auth.secretId), headers, rawBody);
      if (reason === undefined) return;
      log.warn({ workflowId: webhook.workflowId, reason }, 'A webhook call was refused.');
      throw new AppError('webhook_refused', { reason });
    },

    validate({ isValidated, schema }, payload) {
      if (!isValidated || schema === undefined) return;
      const problems = checker.problems(schema, payload);
      if (problems.length > 0) throw new AppError('invalid_request', { problems });
    },

    async isRepeat(webhook, payload, headers) {
      const key = keyOf(webhook, payload, headers);
      return key !== undefined && (await isInboxKeyTaken(pool, key));
    },

    async queue(webhook, { payload, headers, shownHeaders, instanceTag }) {
      const { auth } = webhook;
      const hidden = auth.type === 'none' ? {} : { [auth.header]: '[REDACTED]' };
      const { executionIds, isDuplicate } = await engine.acceptEvent(webhook.tenant, {
        source: 'webhook',
        event: null,
        payload,
        headers: shownHeaders === undefined ? undefined : { ...shownHeaders, ...hidden },
        requestHeaders: headers,
        linkedAccount: webhook.linkedAccount,
        configId: webhook.configId,
        slug: webhook.slug,
        instanceTag,
        listeners: [webhook],
      });
      if (isDuplicate) {
        const { workflowId, dedup } = webhook;
        throw new AppError('duplicate_arrival', { workflowId, windowS: dedup?.windowS ?? 0 });
      }
      return executionIds[0];
    },
  };
}

/** One answer for all that is not there: a stranger learns nothing of what exists. */
function notFound(): AppError {
  return new AppError('webhook_not_found', undefined);
}

function keep<T>(map: Map<string, T>, key: string, value: T): T {
  map.set(key, value);
  if (map.size > mostKept) map.delete(map.keys().next().value!);
  return value;
}
