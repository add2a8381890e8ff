import { Readable } from 'node:stream';
import { z } from 'zod';
import { consoleOf } from '#api/admin/guard';
import {
  openRecordSearch,
  recordSearch,
  recordShape,
  selectionOf,
  shapeRecord,
  shapeWholeRecord,
  wholeRecordShape,
} from '#api/admin/recovery-shape';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { exactlyOne } from '#api/retry-body';
import type { Tenant } from '#domain/tenant';
import {
  arrived,
  editContext,
  endMany,
  endRecord,
  getRecord,
  listRecords,
  recordsCsv,
  resend,
  resendMany,
  sendAgain,
  type Selection,
} from '#recovery/index';

const tags = ['Dashboard: recovery'];
const base = '/api/admin/recovery-records';
const idPath = z.object({ id: z.string() });
/** Records that one request may name, or send again. */
const mostAtOnce = 500;

const which = {
  ids: z
    .array(z.string().min(1).max(100))
    .min(1, 'names no record')
    .max(mostAtOnce, `may name ${mostAtOnce} records in one request`)
    .optional(),
  filter: openRecordSearch.optional().describe('As the list takes it; {} is every open record.'),
};
const chosenBody = z.strictObject(which).superRefine((body, ctx) => exactlyOne(body, ['ids', 'filter'], ctx));
const resendBody = z
  .strictObject({
    ...which,
    limit: z
      .int('must be a whole number')
      .min(1, 'must be at least 1')
      .max(mostAtOnce, `must be at most ${mostAtOnce}; send another request for the next ones`)
      .default(100)
      .describe('So many records this request sends at most, the oldest first.'),
  })
  .superRefine((body, ctx) => exactlyOne(body, ['ids', 'filter'], ctx));

const arrivedBody = z.strictObject({
  output: z.unknown().describe('What the call answered: the body that later nodes read.'),
  status_code: z
    .int('must be a whole number')
    .min(100, 'must be at least 100')
    .max(599, 'must be at most 599')
    .optional(),
});

const resentShape = z.object({
  execution_id: z.string().nullable().describe('Null: nothing was left to do.'),
  record: wholeRecordShape,
});
const countShape = z.object({ count: z.int().describe('Records that were open') });

/** What waits in recovery queues, and what is done about it. */
export function adminRecoveryRecordRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    base,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List recovery records, newest first',
        querystring: recordSearch.extend({
          cursor: z.string().max(100).optional().describe('`next_cursor` of the page before'),
          limit: z.coerce.number().int().min(1).max(200).default(50),
        }),
        response: { 200: z.object({ records: z.array(recordShape), next_cursor: z.string().nullable() }) },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const { cursor, limit, ...search } = request.query;
      const before = cursor === '' ? undefined : cursor;
      // One more than is shown says whether there is another page.
      const page = { before, limit: limit + 1 };
      const rows = await listRecords(deps, tenant, selectionOf(search), page);
      const shown = rows.slice(0, limit);
      return {
        records: shown.map((record) => shapeRecord(record, pageOf(tenant))),
        next_cursor: rows.length > limit ? (shown.at(-1)?.id ?? null) : null,
      };
    },
  );

  app.get(
    '/api/admin/recovery-records.csv',
    {
      config: { auth: 'console' },
      schema: { tags, summary: 'Download recovery records as CSV', querystring: recordSearch },
    },
    async (request, reply) => {
      const lines = await recordsCsv(deps, consoleOf(request).tenant, selectionOf(request.query));
      reply
        .header('content-type', 'text/csv; charset=utf-8')
        .header('content-disposition', 'attachment; filename="recovery-records.csv"')
        .header('cache-control', 'no-store');
      return reply.send(Readable.from(lines));
    },
  );

  app.get(
    `${base}/:id`,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Read a recovery record with its payload',
        params: idPath,
        response: { 200: wholeRecordShape },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      return whole(tenant, await getRecord(deps, tenant, request.params.id));
    },
  );

  app.patch(
    `${base}/:id`,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Write what the resolution workflow is to know beside an open record',
        params: idPath,
        body: z.strictObject({ context: z.record(z.string(), z.unknown()) }),
        response: { 200: wholeRecordShape },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      return whole(tenant, await editContext(deps, tenant, request.params.id, request.body.context));
    },
  );

  app.post(
    `${base}/:id/resend`,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Resolve a record by the workflow of its queue, or by retrying what failed',
        params: idPath,
        response: { 200: resentShape },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      return resent(tenant, request.params.id, await resend(deps, tenant, request.params.id));
    },
  );

  app.post(
    `${base}/:id/send-again`,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Send a call of unknown outcome again',
        description: 'For who has looked in the app and found that the call did not arrive.',
        params: idPath,
        response: { 200: resentShape },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      return resent(tenant, request.params.id, await sendAgain(deps, tenant, request.params.id));
    },
  );

  app.post(
    `${base}/:id/arrived`,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Go on after a call of unknown outcome, which had arrived',
        description:
          'The execution goes on with the given output as the outcome of the call, which is never sent again.',
        params: idPath,
        body: arrivedBody,
        response: { 200: resentShape },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const { output = null, status_code: statusCode } = request.body;
      const made = await arrived(deps, tenant, request.params.id, { output, statusCode });
      return resent(tenant, request.params.id, made);
    },
  );

  for (const { verb, verdict } of [
    { verb: 'discard', verdict: 'discarded' },
    { verb: 'resolve', verdict: 'resolved' },
  ] as const) {
    app.post(
      `${base}/:id/${verb}`,
      {
        config: { auth: 'console' },
        schema: {
          tags,
          summary: verb === 'discard' ? 'Discard an open record' : 'Mark an open record as resolved',
          params: idPath,
          response: { 200: wholeRecordShape },
        },
      },
      async (request) => {
        const { tenant } = consoleOf(request);
        return whole(tenant, await endRecord(deps, tenant, request.params.id, verdict));
      },
    );

    app.post(
      `${base}/${verb}`,
      {
        config: { auth: 'console' },
        schema: {
          tags,
          summary: verb === 'discard' ? 'Discard many open records' : 'Mark many open records as resolved',
          body: chosenBody,
          response: { 200: countShape },
        },
      },
      async (request) => {
        const { tenant } = consoleOf(request);
        return { count: await endMany(deps, tenant, chosen(request.body), verdict) };
      },
    );
  }

  app.post(
    `${base}/resend`,
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Resend many open records, the oldest first',
        body: resendBody,
        response: {
          200: z.object({
            resent: z.array(z.object({ id: z.string(), execution_id: z.string().nullable() })),
            refused: z.array(z.object({ id: z.string(), reason: z.string() })),
          }),
        },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const results = await resendMany(deps, tenant, chosen(request.body), request.body.limit);
      return {
        resent: results.flatMap(({ id, executionId }) =>
          executionId === undefined ? [] : [{ id, execution_id: executionId }],
        ),
        refused: results.flatMap(({ id, problem }) =>
          problem === undefined ? [] : [{ id, reason: problem }],
        ),
      };
    },
  );

  async function resent(
    tenant: Tenant,
    id: string,
    { executionId }: { readonly executionId: string | null },
  ): Promise<z.output<typeof resentShape>> {
    return { execution_id: executionId, record: whole(tenant, await getRecord(deps, tenant, id)) };
  }

  function whole(tenant: Tenant, record: Parameters<typeof shapeWholeRecord>[0]) {
    return shapeWholeRecord(record, pageOf(tenant));
  }

  function pageOf({ environment }: Tenant): (executionId: string) => string {
    return (id) => `${deps.config.publicUrl}/${environment}/logs/executions/${id}`;
  }
}

function chosen({ ids, filter }: z.output<typeof chosenBody>): Selection {
  return ids === undefined ? selectionOf({ ...filter }) : { ids };
}
