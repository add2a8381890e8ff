import { z } from 'zod';
import { isRecord } from '#domain/exact-json';
import { secretsIn } from '#domain/masking/index';
import type { ChildResult } from '#engine/node-services';
import {
  done,
  failed,
  nodeType,
  suspended,
  type NodeFailure,
  type NodeOutcome,
} from '#engine/nodes/node-type';

const toggle = z
  .union(
    [z.boolean(), z.literal('true').transform(() => true), z.enum(['false', '']).transform(() => false)],
    {
      error: 'must be true or false',
    },
  )
  .nullish()
  .transform((value) => value ?? false);

const id = z.string().nullish();

const settings = z
  .looseObject({
    workflow: id,
    workflow_id: id,
    payload: z.unknown().optional(),
    sync: toggle,
    wait_for_completion: toggle,
  })
  .transform((given, ctx) => {
    const workflow = [given.workflow, given.workflow_id].find(
      (value) => typeof value === 'string' && value !== '',
    );
    if (workflow === undefined || workflow === null) {
      ctx.addIssue({
        code: 'custom',
        path: ['workflow'],
        message: 'choose the workflow to run: its id or alias',
      });
      return z.NEVER;
    }
    return {
      workflow,
      payload: given.payload ?? {},
      isSync: given.sync,
      isAwaited: given.sync || given.wait_for_completion,
    };
  });

type Settings = z.infer<typeof settings>;

/** Runs another workflow as a child of this execution. */
export const subFlow = nodeType<Settings>({
  type: 'sub_flow',
  label: 'Sub-flow',
  group: 'control',
  help: 'Runs another workflow of the same app, or an internal one, for the same customer.',
  reference: {
    output:
      '`{execution_id}`; waited for, also `return_value`: what the Response node of the sub-flow gave, or `message` and `statusCode` of its Terminate node.',
    errors:
      'A workflow that does not exist, is not published, has another trigger or belongs to another app; a payload that does not fit its schema; more than 1,000 levels. Waited for: its own error, word for word.',
  },
  // The child is found again by the node that started it, so a second attempt starts no second one.
  effect: 'repeatable',
  fields: {
    workflow: {
      type: 'text',
      label: 'Workflow',
      required: true,
      help: 'Its id or alias; published, with the API call trigger.',
    },
    payload: {
      type: 'json',
      label: 'Payload',
      help: 'What the sub-flow reads as event; it must fit its schema.',
    },
    wait_for_completion: {
      type: 'boolean',
      label: 'Wait for completion',
      default: true,
      help: 'Off: go on at once with the id of its execution.',
    },
    sync: {
      type: 'boolean',
      label: 'Sync',
      default: false,
      help: 'Runs it by the rules of a sync call: its delays do not wait.',
    },
  },
  settings,
  async run(given, ctx) {
    const started = await ctx.services.subFlows.start({
      tenant: ctx.tenant,
      parent: {
        executionId: ctx.executionId,
        nodeId: ctx.nodeId,
        batch: ctx.batch,
        firstBatch: ctx.firstBatch,
        isAwaited: given.isAwaited,
      },
      workflow: given.workflow,
      payload: given.payload,
      secrets: secretsIn(ctx.mask(given.payload)),
      mode: given.isSync ? 'sync' : 'async',
      linkedAccount: ctx.linkedAccount,
      configId: ctx.configId,
      appSlug: ctx.appSlug,
    });
    if ('refusal' in started) return failed({ message: started.refusal, retry: 'never' });
    const { executionId } = started;
    return given.isAwaited ? waitFor(executionId) : done({ execution_id: executionId });
  },
  async resume(_given, ctx, { state }) {
    const { executionId } = state as { executionId: string };
    const child = await ctx.services.subFlows.result(ctx.tenant, executionId);
    // The cap on waiting has come, not the end of the child, which has deadlines of its own.
    if (child.state === 'unfinished') return waitFor(executionId);
    if (child.state !== 'gone') ctx.learnSecret(child.secrets);
    return outcomeOf(executionId, child);
  },
});

function waitFor(executionId: string): NodeOutcome {
  return suspended({ reason: 'sub_flow', childExecutionId: executionId, state: { executionId } });
}

function outcomeOf(executionId: string, child: Exclude<ChildResult, { state: 'unfinished' }>): NodeOutcome {
  if (child.state === 'gone') {
    return childFailure({ message: `The execution ${executionId} of the sub-flow is gone.` });
  }
  const said = isRecord(child.termination) ? child.termination : {};
  if (child.state === 'completed' || child.state === 'terminated') {
    return done({ execution_id: executionId, return_value: child.returnValue, ...said });
  }
  const { message, status, body } = child.error;
  const words = {
    errored: message === '' ? 'The sub-flow failed.' : message,
    stopped: 'The sub-flow was stopped.',
    timed_out: 'The sub-flow took longer than the timeout of its workflow.',
  }[child.state];
  return childFailure({
    message: words,
    ...(status === undefined ? {} : { status }),
    body: { execution_id: executionId, ...said, ...(body === undefined ? {} : { error: body }) },
  });
}

/** Another attempt would find the same child: trying again is for the author to decide, with a new execution. */
function childFailure(failure: Omit<NodeFailure, 'retry'>): NodeOutcome {
  return failed({ ...failure, retry: 'never' });
}

/** The place of one of several children that a node starts, as the iterations of a loop are written. */
export function placeIn(batch: string, at: string): string {
  return batch === '' ? at : `${batch}/${at}`;
}
