import { z } from 'zod';
import { consoleOf, requireAdmin } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { wireTime } from '#api/wire';
import type { StoredOrganization } from '#db/organization';
import {
  apiKeysOf,
  changeOrganization,
  getOrganization,
  regenerateApiKey,
  revealApiKey,
} from '#organizations/index';

const tags = ['Dashboard: organization'];
const environment = z.enum(['test', 'production']);
const webAddress = z.url({ protocol: /^https?$/, error: 'is not an http(s) address' }).max(1000);

const organizationShape = z.object({
  id: z.string(),
  name: z.string(),
  slug: z.string(),
  logo: z.string().nullable(),
  website: z.string().nullable(),
  email: z.string().nullable(),
  created_at: z.string(),
  settings: z.record(z.string(), z.unknown()),
});

const keyShape = z.object({
  id: z.string(),
  environment,
  hint: z.string().describe('First and last characters of the key'),
  created_at: z.string(),
});

const keyPath = z.object({ key_id: z.string() });

/** The organisation and its API keys, for the dashboard. */
export function adminOrganizationRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/organization',
    {
      config: { auth: 'console' },
      schema: { tags, summary: 'Read the organization', response: { 200: organizationShape } },
    },
    async (request) => shape(await getOrganization(deps, consoleOf(request).orgId)),
  );

  app.patch(
    '/api/admin/organization',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Change the organization',
        body: z.object({
          name: z.string().trim().min(1).max(200).optional(),
          logo: webAddress.nullable().optional(),
          website: webAddress.nullable().optional(),
          settings: z.record(z.string(), z.unknown()).optional().describe('Replaces the settings whole'),
        }),
        response: { 200: organizationShape },
      },
    },
    async (request) => {
      const { orgId } = requireAdmin(request);
      const { name, logo, website, settings } = request.body;
      return shape(
        await changeOrganization(deps, orgId, {
          ...(name !== undefined && { name }),
          ...(logo !== undefined && { logo }),
          ...(website !== undefined && { website }),
          ...(settings !== undefined && { settings }),
        }),
      );
    },
  );

  app.get(
    '/api/admin/api-keys',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List the API keys of both environments',
        response: { 200: z.object({ keys: z.array(keyShape) }) },
      },
    },
    async (request) => {
      const keys = await apiKeysOf(deps, consoleOf(request).orgId);
      return {
        keys: keys.map(({ id, environment, hint, createdAt }) => ({
          id,
          environment,
          hint,
          created_at: wireTime(createdAt),
        })),
      };
    },
  );

  app.post(
    '/api/admin/api-keys/:key_id/reveal',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Show an API key',
        params: keyPath,
        response: { 200: z.object({ key: z.string() }) },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store');
      return { key: await revealApiKey(deps, requireAdmin(request).orgId, request.params.key_id) };
    },
  );

  app.post(
    '/api/admin/api-keys/:key_id/regenerate',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Replace an API key; the old one stops working at once',
        params: keyPath,
        body: z.object({ environment }),
        response: { 200: z.object({ key: z.string() }) },
      },
    },
    async (request, reply) => {
      const { orgId } = requireAdmin(request);
      reply.header('cache-control', 'no-store');
      const tenant = { orgId, environment: request.body.environment };
      return { key: await regenerateApiKey(deps, tenant, request.params.key_id) };
    },
  );
}

function shape(row: StoredOrganization): z.output<typeof organizationShape> {
  const { created_at, ...rest } = row;
  return { ...rest, created_at: wireTime(created_at) };
}
