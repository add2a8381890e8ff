import { z } from 'zod';
import { customFieldTerms, readCustomFieldTerms } from '#api/custom-field-terms';
import { pageQuery } from '#api/wire';
import { findLinkedAccountRef } from '#db/linked-account';
import type { Db } from '#db/schema';
import { idFloor } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import type { ExecutionFilter } from '#engine/index';

const states = [
  'queued',
  'running',
  'waiting',
  'completed',
  'errored',
  'stopped',
  'timed_out',
  'terminated',
] as const;

/** Nothing given is no filter: forms send their empty fields too. */
const given = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema.optional());

const id = z.string().regex(/^[0-9a-f]{24}$/, 'is not an id of 24 hex digits');

/** What the dashboard asks the log of executions for. */
export const executionSearch = z.object({
  status: given(
    z.preprocess((text) => (typeof text === 'string' ? text.toLowerCase() : text), z.enum(states)),
  ),
  workflow: given(z.string().max(100)),
  account: given(z.string().max(500)).describe('The id that the SaaS company chose'),
  from: given(z.coerce.date()),
  to: given(z.coerce.date()),
  search: given(z.string().trim().min(1).max(200)).describe(
    'Stands in the error, the instance tag or a custom field, whatever the case.',
  ),
  custom_field: customFieldTerms,
  error_hash: given(z.string().max(64)),
});

export type ExecutionSearch = z.output<typeof executionSearch>;

/** The same in pages, by number or by cursor. */
export const executionSearchPage = pageQuery.extend({
  ...executionSearch.shape,
  cursor: given(id).describe('`next_cursor` of the page before: faster than page numbers, however far back.'),
});

/** Reads a search into a filter; undefined: it names an account that is not there, so nothing can match. */
export async function searchFilter(
  db: Db,
  tenant: Tenant,
  search: Partial<ExecutionSearch> & { readonly cursor?: string | undefined },
): Promise<ExecutionFilter | undefined> {
  const { status, account, from, to, cursor } = search;
  const linkedAccount = account === undefined ? undefined : await findLinkedAccountRef(db, tenant, account);
  if (account !== undefined && linkedAccount === undefined) return undefined;
  const idTo = to && idFloor(to);
  return {
    linkedAccountId: linkedAccount?.id,
    workflowId: search.workflow,
    states: status === undefined ? undefined : [status],
    text: search.search,
    customFields: readCustomFieldTerms(search.custom_field),
    errorHash: search.error_hash,
    idFrom: from && idFloor(from),
    idTo: cursor !== undefined && (idTo === undefined || cursor < idTo) ? cursor : idTo,
  };
}
