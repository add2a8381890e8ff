import { createHash } from 'node:crypto';
import { z } from 'zod';
import { done, failed, nodeType, suspended, type NodeType } from '#engine/nodes/node-type';

/** What simulated nodes did to the world, and who waits for a token. */
export interface SimulatedWorld {
  /** Calls by idempotency key. */
  readonly calls: Map<string, number>;
  /** Tokens that somebody may present. */
  readonly tokens: Set<string>;
}

/** `act` calls the simulated world; `pause` leaves memory until a token is presented or a moment has passed. */
export function simulatedNodes(world: SimulatedWorld): readonly NodeType[] {
  const act = nodeType({
    type: 'act',
    label: 'Act',
    group: 'app',
    help: 'Does what the simulation says.',
    effect: ({ effect }) => effect,
    fields: {},
    settings: z.looseObject({
      does: z.enum(['succeed', 'stumble', 'fail', 'fail_first_try']),
      repeats: z.string().optional(),
      effect: z.enum(['none', 'read', 'repeatable', 'once']),
      value: z.coerce.string(),
    }),
    async run({ does, effect, value, repeats }, ctx) {
      world.calls.set(ctx.idempotencyKey, (world.calls.get(ctx.idempotencyKey) ?? 0) + 1);
      // As long as a provider takes, so that a worker can be lost in the middle.
      await new Promise((resolve) => setTimeout(resolve, effect === 'none' ? 0 : 20));
      if (does === 'fail') return failed({ message: 'It fails.', retry: 'safe' });
      if (does === 'fail_first_try' && repetitionOf(repeats, ctx.batch) === 0) {
        return failed({ message: 'Not in the first repetition.', retry: 'safe' });
      }
      if (does === 'stumble' && ctx.attempt === 1) return failed({ message: 'Not yet.', retry: 'safe' });
      return done({ value: `${ctx.nodeId}(${value})` });
    },
  });
  const pause = nodeType({
    type: 'pause',
    label: 'Pause',
    group: 'control',
    help: 'Waits for a token or for a moment.',
    effect: 'none',
    fields: {},
    settings: z.looseObject({ by: z.enum(['token', 'due']) }),
    run({ by }, ctx) {
      if (by === 'due') return suspended({ reason: 'delay', dueAt: new Date(ctx.now.getTime() + 5) });
      const token = createHash('sha256').update(`${ctx.idempotencyKey} ${ctx.batch}`).digest('hex');
      world.tokens.add(token);
      return suspended({ reason: 'webhook', token });
    },
    resume: () => done({}),
  });
  return [act, pause] as readonly NodeType[];
}

/** Which repetition of a try block a path stands in. */
export function repetitionOf(block: unknown, batch: string): number {
  const part = batch.split('/').find((part) => part.startsWith(`${String(block)}:`));
  return Number(part?.split(':')[1] ?? 0);
}
