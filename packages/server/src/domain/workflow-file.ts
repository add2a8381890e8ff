import { z } from 'zod';
import { configFieldTypes } from '#domain/config-field';

/** A workflow as a file: what it is, without secrets, and with whatever it needs named by name. */

export const workflowFileFormat = 'inlay.workflow';
export const workflowFileVersion = 1;

const names = z.array(z.string().max(500)).max(1_000).default([]);

/** Other name of a workflow, unique in its app. */
export const workflowAlias = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,100}$/, 'use 1 to 100 letters, digits, -, _ or .');

/** What a workflow needs beside itself, by name. */
export const workflowNeeds = z.object({
  apps: names.describe('Slugs of apps that accounts must have connected'),
  events: names,
  functions: names,
  tables: names,
  queues: names.describe('Recovery queues'),
  polling_triggers: names.describe('`<app>/<name>`'),
  workflows: names.describe('Sub-flows: the `id` in their own files, or their alias'),
  variables: names,
  model_providers: names,
  secrets: names.describe('Where secrets were left out; enter them again, or use variables'),
});

export type WorkflowNeeds = z.output<typeof workflowNeeds>;

const field = z.object({
  name: z.string().trim().min(1).max(200),
  field_type: z.enum(configFieldTypes, { error: `is none of ${configFieldTypes.join(', ')}` }),
  position: z.int().min(0).max(100_000).default(0),
  is_required: z.boolean().default(false),
  is_multiple: z.boolean().default(false),
  is_hidden: z.boolean().default(false),
  definition: z.record(z.string(), z.unknown()).default({}),
});

export type WorkflowFileField = z.output<typeof field>;

/** The file. What stands in nodes and edges is checked as a draft is. */
export const workflowFile = z.object({
  format: z.literal(workflowFileFormat, {
    error: `is not "${workflowFileFormat}": this is no file of a workflow`,
  }),
  format_version: z.literal(workflowFileVersion, {
    error: `is not ${workflowFileVersion}: the file was made by a version of Inlay that this one cannot read`,
  }),
  workflow: z.object({
    id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'use 1 to 64 letters, digits, - or _'),
    name: z.string(),
    description: z.string().max(5_000).default(''),
    app: z.string().max(200).nullable().default(null),
    alias: workflowAlias.nullable().default(null),
    auto_enable: z.boolean().default(false),
    hide_in_config: z.boolean().default(false),
    access_filter: z
      .object({
        match: z.enum(['all', 'any']),
        conditions: z.array(z.object({ key: z.string(), value: z.string() })),
      })
      .nullable()
      .default(null),
    nodes: z.array(z.unknown()),
    edges: z.array(z.unknown()).default([]),
    settings: z.record(z.string(), z.unknown()).default({}),
    json_schema: z.record(z.string(), z.unknown()).optional(),
    manual_execution_payload: z.unknown().optional(),
    fields: z.array(field).max(500).default([]).describe('Config fields of the workflow'),
  }),
  needs: workflowNeeds.prefault({}),
});

export type WorkflowFile = z.output<typeof workflowFile>;
