import { z } from 'zod';
import { customFieldTerms, readCustomFieldTerms } from '#api/custom-field-terms';
import { pageQuery } from '#api/wire';
import { AppError } from '#domain/errors';
import { idFloor } from '#domain/ids';
import type { ExecutionFilter } from '#engine/index';

const text = z.string().optional();

/** The query of the execution list (spec/api §4.9). `All` and empty mean no filter. */
export const executionQuery = pageQuery.extend({
  status: text,
  workflow_name: text,
  workflow_id: text,
  execution_id: text,
  slug: text.describe('One app or several, separated by commas.'),
  start_date: text.describe('ISO 8601 or YYYY-MM-DD.'),
  end_date: text.describe('ISO 8601 or YYYY-MM-DD, which includes that day.'),
  execution_type: text.describe('SYNC or ASYNC.'),
  execution_source: text.describe(
    'Event, Schedule or API Call; or narrower: App Event, Polling, Webhook, Sub Flow.',
  ),
  instance_tag: text,
  error_hash: text,
  search: text.describe('Stands in the error, the instance tag or a custom field, whatever the case.'),
  custom_field: customFieldTerms,
  sortAsc: text,
});

type Query = z.output<typeof executionQuery>;

const states: Readonly<Record<string, Pick<ExecutionFilter, 'states' | 'isStopping'>>> = {
  QUEUED: { states: ['queued'] },
  RUNNING: { states: ['running', 'waiting'], isStopping: false },
  STOPPING: { states: ['running'], isStopping: true },
  COMPLETED: { states: ['completed'] },
  ERRORED: { states: ['errored'] },
  STOPPED: { states: ['stopped'] },
  TIMED_OUT: { states: ['timed_out'] },
  TERMINATED: { states: ['terminated'] },
};
/** Cobalt's three words cover several of ours each; ours may be asked for by name. */
const sources: Readonly<Record<string, ExecutionFilter['sources']>> = {
  EVENT: ['event', 'app_event', 'polling', 'webhook'],
  SCHEDULE: ['schedule'],
  API_CALL: ['api_call', 'sub_flow'],
  APP_EVENT: ['app_event'],
  POLLING: ['polling'],
  WEBHOOK: ['webhook'],
  SUB_FLOW: ['sub_flow'],
};
const modes = { SYNC: 'sync', ASYNC: 'async' } as const;

/**
 * Reads the query into a filter.
 *
 * @throws AppError `invalid_request` for a value that names nothing
 */
export function executionFilter(query: Query): ExecutionFilter {
  return {
    ...choose('status', query.status, states),
    sources: choose('execution_source', query.execution_source, sources),
    mode: choose('execution_type', query.execution_type, modes),
    workflowId: given(query.workflow_id),
    workflowName: given(query.workflow_name),
    executionId: given(query.execution_id),
    instanceTag: given(query.instance_tag),
    errorHash: given(query.error_hash),
    text: given(query.search)?.slice(0, 200),
    customFields: readCustomFieldTerms(query.custom_field),
    slugs: given(query.slug)
      ?.split(',')
      .map((slug) => slug.trim())
      .filter((slug) => slug !== ''),
    idFrom: boundOf('start_date', query.start_date, 0),
    idTo: boundOf('end_date', query.end_date, 1),
  };
}

function given(value: string | undefined): string | undefined {
  return value === undefined || value === '' || value === 'All' ? undefined : value;
}

/** The SDK, the OpenAPI document and the docs spell these differently; case, spaces and underscores do not count. */
function choose<T>(
  name: string,
  written: string | undefined,
  among: Readonly<Record<string, T>>,
): T | undefined {
  const value = given(written);
  if (value === undefined || value.toUpperCase() === 'ALL') return undefined;
  const key = value
    .trim()
    .toUpperCase()
    .replaceAll(/[\s-]+/g, '_');
  if (Object.hasOwn(among, key)) return among[key];
  throw new AppError('invalid_request', {
    problems: [{ path: name, message: `"${value}" is none of ${Object.keys(among).join(', ')}` }],
  });
}

/** A bare date covers the whole day (UTC); an end is exclusive, so it is the day or the millisecond after. */
function boundOf(name: string, written: string | undefined, isEnd: 0 | 1): string | undefined {
  const value = given(written);
  if (value === undefined) return undefined;
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(value);
  const time = Date.parse(value);
  if (Number.isNaN(time)) {
    throw new AppError('invalid_request', {
      problems: [{ path: name, message: `"${value}" is not a date: write YYYY-MM-DD or ISO 8601` }],
    });
  }
  return idFloor(new Date(Math.max(0, time + isEnd * (isDay ? 86_400_000 : 1))));
}
