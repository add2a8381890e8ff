import { z } from 'zod';
import { allProviders, removeProvider, saveProvider, type ModelProvider } from '#agents/index';
import { consoleOf, requireAdmin } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';

const tags = ['Dashboard: model providers'];
const namePath = z.object({ name: z.string() });

const providerShape = z.object({
  name: z.string(),
  kind: z.enum(['openai', 'anthropic']),
  base_url: z.string(),
  default_model: z.string().nullable(),
});

/** Where agents find their models. Keys go in and never come out. */
export function adminModelProviderRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/model-providers',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List model providers',
        response: { 200: z.object({ model_providers: z.array(providerShape) }) },
      },
    },
    async (request) => ({
      model_providers: (await allProviders(deps, consoleOf(request).tenant)).map(shape),
    }),
  );

  app.put(
    '/api/admin/model-providers/:name',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Set a model provider: any OpenAI-compatible endpoint, or Anthropic',
        params: namePath,
        body: z.object({
          kind: z.enum(['openai', 'anthropic']),
          base_url: z.string().max(2_000).optional(),
          default_model: z.string().max(200).optional(),
          key: z.string().max(10_000).optional(),
        }),
        response: { 200: providerShape },
      },
    },
    async (request) => {
      const { kind, base_url: baseUrl, default_model: defaultModel, key } = request.body;
      const { tenant } = requireAdmin(request);
      return shape(
        await saveProvider(deps, tenant, request.params.name, { kind, baseUrl, defaultModel, key }),
      );
    },
  );

  app.delete(
    '/api/admin/model-providers/:name',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Remove a model provider: agents that use it fail from then on',
        params: namePath,
        response: { 200: z.object({ ok: z.literal(true) }) },
      },
    },
    async (request) => {
      await removeProvider(deps, requireAdmin(request).tenant, request.params.name);
      return { ok: true as const };
    },
  );
}

function shape({ name, kind, baseUrl, defaultModel }: ModelProvider): z.output<typeof providerShape> {
  return { name, kind, base_url: baseUrl, default_model: defaultModel ?? null };
}
