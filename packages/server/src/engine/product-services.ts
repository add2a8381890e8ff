import { FormData } from 'undici';
import { actionEffect, executeAction, sendWithConnection, type ConnectionDeps } from '#connections/index';
import { dropSyncWindow, openSyncWindow } from '#db/sync-window';
import type { HttpNodeRequest, OutsideServices } from '#engine/node-services';
import { agentServices } from '#engine/agent-services';
import { createOpenSource, createSftp, type FileStore } from '#files/index';
import type { HumanTasks } from '#human-tasks/index';
import type { Mail } from '#mail/index';
import { getFunction } from '#functions/index';
import { createPrintPdf } from '#pdf/index';
import type { Outbound } from '#outbound/index';
import type { Sandbox } from '#sandbox/index';

/**
 * The outside as the product gives it to nodes. An attempt of a node is one attempt at the door too: the run plans
 * the next one by the node's retry policy, records it, and gives long waits back to the queue.
 */
export function productServices(
  deps: ConnectionDeps & {
    readonly outbound: Outbound;
    readonly sandbox: Sandbox;
    readonly files: FileStore;
    readonly mail: Mail;
    readonly humanTasks: HumanTasks;
    readonly config: { readonly chromium: string | undefined };
  },
): OutsideServices {
  return {
    records: { db: deps.db, vault: deps.vault },
    sendHttp: ({ body, ...request }) =>
      deps.outbound.send({ ...request, ...(body !== undefined && { body: bodyOf(body) }), maxAttempts: 1 }),
    openHttp: async ({ body, ...request }) => {
      const opened = await deps.outbound.open({
        ...request,
        ...(body !== undefined && { body: bodyOf(body) }),
      });
      return { ...opened, body: opened.body as AsyncIterable<Buffer> };
    },
    syncWindows: {
      open: (tenant, reader, firstFrom) =>
        openSyncWindow(deps.pool, tenant, reader, { firstFrom, now: deps.clock.now() }),
      drop: (tenant, reader) => dropSyncWindow(deps.pool, tenant, reader),
    },
    executeAction: (call) => executeAction(deps, { ...call, maxAttempts: 1 }),
    sendToApp: async ({ request, ...target }) =>
      (await sendWithConnection(deps, { ...target, maxAttempts: 1 }, request)).response,
    actionEffect: (call) => actionEffect(deps, call),
    runCode: (run) => deps.sandbox.runCode(run),
    agents: agentServices(deps),
    findFunction: (tenant, id, version) => getFunction(deps, tenant, id, version),
    runJsonata: (run) => deps.sandbox.runJsonata(run),
    files: deps.files,
    openSource: createOpenSource(deps),
    printPdf: createPrintPdf(deps),
    sftp: createSftp(deps.outbound),
    mail: deps.mail,
    humanTasks: deps.humanTasks,
  };
}

function bodyOf(body: NonNullable<HttpNodeRequest['body']>): string | FormData {
  if (typeof body === 'string') return body;
  const form = new FormData();
  for (const [name, value] of body.form) form.append(name, value);
  return form;
}
