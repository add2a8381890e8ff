import { z } from 'zod';
import { consoleOf } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { allFields, changeField, createField, deleteField } from '#configs/index';
import type { StoredField } from '#db/config-field';

const tags = ['Dashboard: config fields'];
const idPath = z.object({ id: z.string() });
const slugPath = z.object({ slug: z.string() });

const fieldShape = z.object({
  id: z.string(),
  app_slug: z.string(),
  workflow_id: z.string().nullable(),
  name: z.string(),
  field_type: z.string(),
  position: z.int(),
  is_required: z.boolean(),
  is_multiple: z.boolean(),
  is_hidden: z.boolean(),
  definition: z.record(z.string(), z.unknown()),
});

const fieldBody = z.object({
  name: z.string().optional(),
  field_type: z.string().optional(),
  position: z.int().min(0).max(100_000).optional(),
  is_required: z.boolean().optional(),
  is_multiple: z.boolean().optional(),
  is_hidden: z.boolean().optional(),
  definition: z
    .record(z.string(), z.unknown())
    .optional()
    .describe(
      '`options`, `live_options` (a list of the app), `default_value`, `parent`, `placeholder`, `help_text`, `associated_page`, `labels`, `labels_object`, `mapping`, `rule_columns`',
    ),
});

/** What customers may choose of an app, and of each workflow in it. */
export function adminConfigFieldRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/apps/:slug/config-fields',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List the config fields of an app and of its workflows',
        params: slugPath,
        response: { 200: z.object({ fields: z.array(fieldShape), live_options: z.array(z.string()) }) },
      },
    },
    async (request) => {
      const { slug } = request.params;
      const fields = await allFields(deps, consoleOf(request).tenant, slug);
      const liveOptions = Object.keys(deps.connectors.get(slug)?.options ?? {});
      return { fields: fields.map(shape), live_options: liveOptions };
    },
  );

  app.post(
    '/api/admin/apps/:slug/config-fields',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Add a config field',
        params: slugPath,
        body: fieldBody.extend({ workflow_id: z.string().nullish() }),
        response: { 200: fieldShape },
      },
    },
    async (request) => {
      const { workflow_id: workflowId, ...body } = request.body;
      const owner = { slug: request.params.slug, workflowId: workflowId ?? undefined };
      return shape(await createField(deps, consoleOf(request).tenant, owner, inputOf(body)));
    },
  );

  app.patch(
    '/api/admin/config-fields/:id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Change a config field',
        params: idPath,
        body: fieldBody,
        response: { 200: fieldShape },
      },
    },
    async (request) =>
      shape(await changeField(deps, consoleOf(request).tenant, request.params.id, inputOf(request.body))),
  );

  app.delete(
    '/api/admin/config-fields/:id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Delete a config field',
        params: idPath,
        response: { 200: z.object({ ok: z.literal(true) }) },
      },
    },
    async (request) => {
      await deleteField(deps, consoleOf(request).tenant, request.params.id);
      return { ok: true as const };
    },
  );
}

function inputOf(body: z.output<typeof fieldBody>) {
  return {
    name: body.name,
    fieldType: body.field_type,
    position: body.position,
    isRequired: body.is_required,
    isMultiple: body.is_multiple,
    isHidden: body.is_hidden,
    definition: body.definition,
  };
}

function shape(field: StoredField): z.output<typeof fieldShape> {
  return {
    id: field.id,
    app_slug: field.app_slug,
    workflow_id: field.workflow_id,
    name: field.name,
    field_type: field.field_type,
    position: field.position,
    is_required: field.is_required,
    is_multiple: field.is_multiple,
    is_hidden: field.is_hidden,
    definition: field.definition,
  };
}
