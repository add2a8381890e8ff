import {
  customPoll,
  type CustomPoll,
  durationMs,
  findPoll,
  type PollResult,
  ProviderError,
  runPoll,
} from '@inlay/connectors/kit';
import type { ConnectionDeps } from '#connections/deps';
import { type ConnectionTarget, withConnection } from '#connections/execute-action';
import { AppError } from '#domain/errors';

/** What to ask an app for: a trigger of its connector, or one that the organisation made. */
export type PolledTrigger =
  | { readonly triggerId: string; readonly params: Readonly<Record<string, unknown>> }
  | { readonly custom: CustomPoll };

/**
 * Asks an app what happened since a moment, with the account's credential.
 *
 * @returns the records, oldest first where the app says their times, and how long they may be listed again
 * @throws as `executeAction`; `provider_unreachable` when the app refuses, with its `ProviderError` as the cause
 */
export async function pollApp(
  deps: ConnectionDeps,
  call: ConnectionTarget & {
    readonly trigger: PolledTrigger;
    readonly since: Date;
    readonly until: Date;
  },
): Promise<PollResult & { readonly overlapMs: number }> {
  return withConnection(deps, call, async (connector, http) => {
    const { trigger } = call;
    const poll = 'custom' in trigger ? customPoll(trigger.custom) : findPoll(connector, trigger.triggerId);
    const span = {
      since: call.since.toISOString(),
      until: call.until.toISOString(),
      ...('params' in trigger && { params: trigger.params }),
    };
    try {
      const result = await runPoll(connector, poll, span, http);
      return { ...result, overlapMs: durationMs(poll.overlap) };
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      const reason = `it answered with status ${error.status}`;
      throw new AppError('provider_unreachable', { app: connector.name, reason }, { cause: error });
    }
  });
}
