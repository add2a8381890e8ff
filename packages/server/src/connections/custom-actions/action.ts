import { action, type Action, type ApiRequest, type Placement, type RunContext } from '@inlay/connectors/kit';
import type { Credential } from '#connections/credential';
import {
  type CustomActionDefinition,
  customActionDefinition,
  fieldsOfDefinition,
} from '#connections/custom-actions/definition';
import {
  apiRequest,
  type DraftRequest,
  draftRequest,
  pageOf,
  scriptedRequest,
} from '#connections/custom-actions/request';
import type { StoredCustomAction } from '#db/custom-action';
import { AppError } from '#domain/errors';
import { pagination, readPages } from '#domain/paging';
import { asText, compileTemplate, render } from '#domain/template';

/** What running a custom action takes besides the connection. */
export interface CustomActionTools {
  /** Runs `yourFunction(params)` in the sandbox. */
  runScript(code: string, params: unknown): Promise<unknown>;
  /** Sends the request and keeps the answer as a file; gives what is known of it. */
  save(request: ApiRequest, file: { readonly name: string; readonly ttlS?: number | null }): Promise<unknown>;
}

/** A stored action as one of the connector's own. Without tools it can be described, not run. */
export function customAction(stored: StoredCustomAction, tools?: CustomActionTools): Action {
  const definition = definitionOf(stored);
  return action({
    label: stored.name,
    group: 'Custom',
    help: stored.description === '' ? stored.name : stored.description,
    effect: definition.effect ?? effectOfMethod(definition),
    ...(definition.idempotency_header !== undefined && { idempotencyHeader: definition.idempotency_header }),
    input: fieldsOfDefinition(definition),
    run: (input, http) => {
      if (tools === undefined) throw new Error('A described action is not run.');
      return run(definition, input, http, tools);
    },
  });
}

/** @throws AppError `internal` for a row that nobody can read, which saving does not make */
export function definitionOf(stored: Pick<StoredCustomAction, 'definition'>): CustomActionDefinition {
  return customActionDefinition.parse(stored.definition);
}

/** RFC 9110 §9.2; a question in pages is a question, whatever its method. */
function effectOfMethod({
  method,
  pagination: paging,
}: CustomActionDefinition): 'read' | 'repeatable' | 'once' {
  if (method === 'GET' || (paging !== undefined && paging['type'] !== 'none')) return 'read';
  return method === 'PUT' || method === 'DELETE' ? 'repeatable' : 'once';
}

async function run(
  definition: CustomActionDefinition,
  input: Readonly<Record<string, unknown>>,
  http: RunContext,
  tools: CustomActionTools,
): Promise<unknown> {
  const draft = await scriptedDraft(definition, input, tools);
  const request = (page: DraftRequest): ApiRequest => apiRequest(page, definition.body_type);
  if (definition.save_to_file) {
    return tools.save(request(draft), {
      name: definition.file_name ?? nameOf(draft.path),
      ...(definition.infinite_expiry
        ? { ttlS: null }
        : definition.ttl !== undefined && { ttlS: definition.ttl }),
    });
  }
  const paging = definition.pagination === undefined ? undefined : pagination.parse(definition.pagination);
  if (paging === undefined || paging.type === 'none') return (await http.call(request(draft))).body;
  const { body, isCut } = await readPages(paging, http.now, (page) =>
    http.call(request(pageOf(draft, page, paging))),
  );
  // Whoever says how many pages, wants so many; where nobody did, a part would be taken for the whole.
  if (isCut && !definition.pagination?.['max_pages']) {
    throw new AppError('wrong_state', {
      reason: `There may be more than ${paging.max_pages} pages. Ask for less at a time, or set "max_pages" of the pagination to read so many and no more.`,
    });
  }
  return body;
}

async function scriptedDraft(
  definition: CustomActionDefinition,
  input: Readonly<Record<string, unknown>>,
  tools: CustomActionTools,
): Promise<DraftRequest> {
  const draft = draftRequest(definition, input);
  const script = definition.pre_request_script ?? '';
  if (script.trim() === '') return draft;
  return scriptedRequest(draft, await tools.runScript(script, { fields: input, request: draft }));
}

function nameOf(path: string): string {
  return path.split(/[?#]/)[0]?.split('/').at(-1) || 'response';
}

/**
 * Where a definition places the credential, in place of where the connector does.
 *
 * @throws AppError `wrong_state` when the connection has no such value
 */
export function placedToken(
  injection: NonNullable<CustomActionDefinition['token_injection']>,
  credential: Credential,
): Placement {
  const values =
    credential.kind === 'oauth2'
      ? { access_token: credential.accessToken }
      : { ...credential.fields, ...(credential.token !== undefined && { access_token: credential.token }) };
  const scope = { values: { credential: values }, node: () => undefined };
  const value = asText(render(compileTemplate(injection.value), scope, { missing: 'omit' }));
  if (value.trim() === '') {
    const known = Object.keys(values).map((name) => `{{credential.${name}}}`);
    throw new AppError('wrong_state', {
      reason: `The token_injection of the action reads nothing of the connection, which has ${known.join(', ')}.`,
    });
  }
  return injection.in === 'header'
    ? { headers: { [injection.name.toLowerCase()]: value } }
    : { query: { [injection.name]: value } };
}
