import { FormData } from 'undici';
import { actionEffect, executeAction, type ConnectionDeps } from '#connections/index';
import type { HttpNodeRequest, NodeServices } from '#engine/node-services';
import type { Outbound } from '#outbound/index';
import type { Sandbox } from '#sandbox/index';

/** The outside as the product gives it to nodes. */
export function productServices(
  deps: ConnectionDeps & { readonly outbound: Outbound; readonly sandbox: Sandbox },
): NodeServices {
  return {
    sendHttp: ({ body, ...request }) =>
      deps.outbound.send(body === undefined ? request : { ...request, body: bodyOf(body) }),
    executeAction: (call) => executeAction(deps, call),
    actionEffect: ({ slug, actionId, input, idempotencyKey }) =>
      actionEffect(deps.connectors, slug, actionId, input, idempotencyKey),
    runCode: (run) => deps.sandbox.runCode(run),
    runJsonata: (run) => deps.sandbox.runJsonata(run),
  };
}

function bodyOf(body: NonNullable<HttpNodeRequest['body']>): string | FormData {
  if (typeof body === 'string') return body;
  const form = new FormData();
  for (const [name, value] of body.form) form.append(name, value);
  return form;
}
