import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isRecord } from '#domain/exact-json';
import { done, nodeType, suspended, type NodeOutcome } from '#engine/nodes/node-type';

const pair = z.object({ key: z.string().min(1, { error: 'name the header' }), value: z.coerce.string() });
const minutes = z.coerce
  .number({ error: 'must be a number of minutes' })
  .min(1, { error: 'must be at least 1' })
  .max(43_200, { error: 'must be at most 43200, which is 30 days' });

const settings = z.looseObject({
  headers: z
    .union([z.array(pair), z.record(z.string(), z.coerce.string())], {
      error: 'must be a list of {key, value} or an object of names and values',
    })
    .nullish()
    .transform((given) =>
      (Array.isArray(given)
        ? given.map(({ key, value }) => [key, value] as const)
        : Object.entries(given ?? {})
      ).map(([name, value]) => [name.toLowerCase(), value] as const),
    ),
  timeout_minutes: z.union([z.literal('').transform(() => undefined), minutes]).nullish(),
});

type Settings = z.infer<typeof settings>;

/** Pauses the execution until somebody posts to its URL. */
export const waitForWebhook = nodeType<Settings>({
  type: 'wait_for_webhook',
  label: 'Wait for webhook',
  group: 'control',
  help: 'Pauses until a POST arrives at {{node.N.resume_url}} (of this execution) or {{node.N.webhook_url}} (of this node).',
  reference: {
    output: '`{headers, body}` of the call. By `timeout`: `{timed_out: true}`.',
    errors: 'None: a call with other headers is refused, and the execution goes on waiting.',
  },
  effect: 'none',
  fields: {
    headers: {
      type: 'map',
      label: 'Required headers',
      help: 'A call must bring exactly these; others are refused.',
    },
    timeout_minutes: {
      type: 'number',
      label: 'Give up after (minutes)',
      help: 'Leaves by "timeout" then; at most 30 days.',
    },
  },
  settings,
  ports: () => ['next', 'timeout'],
  run: (given, { now }) => wait(given, dueOf(given, now)),
  resume(given, _ctx, { by, payload, state }) {
    if (by === 'due') return done({ timed_out: true }, 'timeout');
    const call = payload as { headers: unknown; body: unknown; proofs: unknown };
    // It came before the node could say which headers it wants: as if it had not come.
    if (!hasHeaders(call.proofs, proofsOf(given.headers))) {
      return wait(given, new Date((state as { dueAt: string }).dueAt));
    }
    return done({ headers: call.headers, body: call.body });
  },
});

function wait({ headers }: Settings, dueAt: Date): NodeOutcome {
  return suspended({
    reason: 'webhook',
    dueAt,
    state: { proofs: proofsOf(headers), dueAt: dueAt.toISOString() },
  });
}

const longestMinutes = 30 * 24 * 60;

function dueOf({ timeout_minutes: timeout }: Settings, now: Date): Date {
  return new Date(now.getTime() + (timeout ?? longestMinutes) * 60_000);
}

/** Headers by name, their values as SHA-256: they may be secrets, and only equality counts. */
export function proofsOf(headers: Iterable<readonly [name: string, value: string]>): Record<string, string> {
  return Object.fromEntries(
    Array.from(headers, ([name, value]) => [name, createHash('sha256').update(value).digest('base64url')]),
  );
}

/** Whether a call brings every header that is asked for, with exactly that value. */
export function hasHeaders(given: unknown, wanted: unknown): boolean {
  if (!isRecord(wanted)) return true;
  return Object.entries(wanted).every(([name, proof]) => isRecord(given) && given[name] === proof);
}
