import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { accountCallerOf } from '#api/caller';
import { headerOrQuery } from '#api/context';
import type { ApiDeps } from '#api/deps';
import { dataStoreRecords, listDataStores, searchDataStore, type DataStoresOf } from '#records/index';

const base = '/api/v2/public/datastore/config/:slug';
const config_id = z.string().optional().describe('The linked account id without it');
const record = z.record(z.string(), z.unknown());
const storePath = z.object({ slug: z.string(), datastore_name: z.string() });
const about = { tags: ['Data stores'], deprecated: true };

/** Data stores of a config, to be read only: spec/api §4.12. Workflows write them as tables. */
export function dataStoreRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    base,
    {
      config: { auth: 'account' },
      schema: {
        ...about,
        summary: 'List the names of the tables that workflows made for a config',
        operationId: 'listConfigDatastores',
        params: z.object({ slug: z.string() }),
        querystring: z.object({ config_id }),
        response: { 200: z.array(z.string()) },
      },
    },
    (request) => listDataStores(deps, storesOf(request, request.params.slug)),
  );

  app.get(
    `${base}/:datastore_name/records`,
    {
      config: { auth: 'account' },
      schema: {
        ...about,
        summary: 'Read all records of such a table',
        operationId: 'listConfigDatastoreRecords',
        params: storePath,
        querystring: z.object({ config_id }),
        response: { 200: z.array(record) },
      },
    },
    (request) => {
      const { slug, datastore_name: name } = request.params;
      return dataStoreRecords(deps, storesOf(request, slug), name);
    },
  );

  app.post(
    `${base}/:datastore_name/search`,
    {
      config: { auth: 'account' },
      schema: {
        ...about,
        summary: 'Search such a table',
        description: 'Records that contain every given text in the given column, whatever its case.',
        operationId: 'searchConfigDatastoreRecords',
        params: storePath,
        querystring: z.object({ config_id }),
        body: record,
        response: { 200: z.array(record) },
      },
    },
    (request) => {
      const { slug, datastore_name: name } = request.params;
      return searchDataStore(deps, storesOf(request, slug), name, request.body);
    },
  );
}

/** A column may be called `config_id`, so the body of a search is no context. */
function storesOf(request: FastifyRequest, appSlug: string): DataStoresOf {
  const { tenant, linkedAccount } = accountCallerOf(request);
  const configId = headerOrQuery(request, 'config_id') ?? linkedAccount.accountId;
  return { tenant, linkedAccountId: linkedAccount.id, appSlug, configId };
}
