import { claimDeliveries } from '#db/webhook-delivery';
import { deliver, type DeliverDeps } from '#webhooks/deliver';

const mostAtOnce = 200;
const perRule = 20;
/** Longer than sending may take: then whoever has it is dead. */
const claimedForMs = { webhook: 45_000, email: 180_000 } as const;

/** Sends what is due, with many receivers at the same time. */
export interface Sender {
  /** Begins as much as there is room for. @returns how many */
  begin(): Promise<number>;
  /** Resolves when nothing is on its way. */
  idle(): Promise<void>;
}

/**
 * Of one rule at most twenty deliveries are on their way here at the same time, and the next ones begin when all of them
 * have ended; of a rule whose last one failed, one. So a receiver that keeps connections hanging holds little of the
 * room, and nobody waits for it.
 *
 * @param onRoom - called when there is room again
 */
export function createSender(deps: DeliverDeps, onRoom: () => void): Sender {
  const underWay = new Map<string, number>();
  const slow = new Set<string>();
  const running = new Set<Promise<void>>();

  async function begin(): Promise<number> {
    const limit = mostAtOnce - running.size;
    if (limit <= 0) return 0;
    const now = deps.clock.now();
    const claimed = await claimDeliveries(deps.pool, {
      now,
      until: {
        webhook: new Date(now.getTime() + claimedForMs.webhook),
        email: new Date(now.getTime() + claimedForMs.email),
      },
      limit,
      perRule,
      busy: [...underWay.keys()],
      slow: [...slow],
    });
    for (const delivery of claimed) {
      const { ruleId } = delivery;
      underWay.set(ruleId, (underWay.get(ruleId) ?? 0) + 1);
      const sending = deliver(deps, delivery)
        .then((isTaken) => void (isTaken ? slow.delete(ruleId) : slow.add(ruleId)))
        // Its claim runs out, and it is sent again.
        .catch((error: unknown) => deps.log.warn({ err: error }, 'A delivery could not be settled.'))
        .finally(() => {
          running.delete(sending);
          const left = underWay.get(ruleId)! - 1;
          if (left > 0) {
            underWay.set(ruleId, left);
          } else {
            underWay.delete(ruleId);
            onRoom();
          }
        });
      running.add(sending);
    }
    return claimed.length;
  }

  return {
    begin,
    async idle() {
      await Promise.all(running);
    },
  };
}
