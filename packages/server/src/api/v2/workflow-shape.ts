import { z } from 'zod';
import type { ApiDeps } from '#api/deps';
import { wireTime } from '#api/wire';
import { workflowApp } from '#api/v2/workflow-app';
import type { StoredWorkflow } from '#db/workflow';
import { readAccessFilter } from '#domain/access-filter';
import { isRecord } from '#domain/exact-json';
import { readWorkflowDocument } from '#domain/workflow-document';
import { workflowAlias } from '#domain/workflow-file';
import type { WorkflowDocument, WorkflowNode } from '#domain/workflow-document';

/** A workflow on the wire (spec/api §3); clients ignore what they do not know. */
export const workflowShape = z.looseObject({
  _id: z.string(),
  name: z.string(),
  published: z.boolean(),
  public_access_workflow: z.boolean(),
});

/** The body of create and change. Ownership is never read from it; unknown fields are ignored. */
export const workflowBody = z.looseObject({
  name: z.string().optional(),
  description: z.string().max(5_000).optional(),
  slug: z.string().nullish(),
  associated_application: z.unknown().optional(),
  workflow_alias: workflowAlias.nullish(),
  nodes: z.array(z.unknown()).optional(),
  edges: z.array(z.unknown()).optional(),
  settings: z.record(z.string(), z.unknown()).optional(),
  json_schema: z.unknown().optional(),
  manual_execution_payload: z.unknown().optional(),
  autoEnable: z.boolean().optional(),
  hide_in_config: z.boolean().optional(),
  udf_filter: z.array(z.unknown()).nullish(),
  udf_filter_operator: z.string().optional(),
  draft_revision: z
    .int()
    .optional()
    .describe('The revision that the change was made on; an older one is a 409.'),
});

/** The wire's names to ours. */
export function workflowInput(body: z.output<typeof workflowBody>) {
  return {
    name: body.name,
    description: body.description,
    alias: body.workflow_alias,
    nodes: body.nodes,
    edges: body.edges,
    settings: body.settings,
    jsonSchema: readSchema(body.json_schema),
    samplePayload: body.manual_execution_payload,
    isAutoEnabled: body.autoEnable,
    isHiddenInConfig: body.hide_in_config,
    accessFilter: body.udf_filter,
    accessFilterOperator: body.udf_filter_operator,
  };
}

/** Clients send the JSON Schema as an object or as its text; anything else is left for the check to refuse. */
function readSchema(given: unknown): unknown {
  if (typeof given !== 'string' || given.trim() === '') return given === '' ? null : given;
  try {
    return JSON.parse(given);
  } catch {
    return given; // refused as "not an object" with the name of the field
  }
}

type View = 'draft' | 'parent' | 'list';

/**
 * A workflow as one of its two faces: the draft (its own id, `associated_workflow` names the parent) or the
 * parent. Lists leave the document out.
 */
export function shapeWorkflow(
  deps: ApiDeps,
  row: StoredWorkflow,
  view: View,
  owner?: string,
): z.output<typeof workflowShape> {
  const document = readWorkflowDocument(row.draft);
  const filter = readAccessFilter(row.access_filter);
  return {
    _id: view === 'draft' ? row.draft_id : row.id,
    ...(view === 'draft' ? { associated_workflow: row.id } : {}),
    name: row.name,
    description: row.description,
    slug: row.app_slug ?? '',
    org_id: row.org_id,
    environment: row.environment,
    ...(owner === undefined ? {} : { linked_account_id: owner }),
    published: row.published_version !== null,
    public_access_workflow: row.linked_account_id !== null,
    associated_application: workflowApp(deps, row),
    ...(row.alias === null ? {} : { workflow_alias: row.alias }),
    autoEnable: row.is_auto_enabled,
    hide_in_config: row.is_hidden_in_config,
    ...(filter === null
      ? {}
      : { udf_filter: filter.conditions, udf_filter_operator: filter.match === 'all' ? 'AND' : 'OR' }),
    ...(row.published_version === null ? {} : { current_version: row.published_version }),
    is_v2: true,
    settings: document.settings,
    draft_revision: row.draft_revision,
    ...(view === 'list' ? { associated_app_slugs: appSlugs(row, document) } : shapeDocument(document)),
    createdAt: wireTime(row.created_at),
    updatedAt: wireTime(row.updated_at),
  };
}

/** The document part of a workflow: nodes name their neighbours too, as older clients draw them. */
export function shapeDocument(document: WorkflowDocument) {
  return {
    nodes: document.nodes.map((node) => shapeNode(node, document)),
    edges: document.edges,
    ...(document.json_schema === undefined ? {} : { json_schema: document.json_schema }),
    ...(document.manual_execution_payload === undefined
      ? {}
      : { manual_execution_payload: document.manual_execution_payload }),
  };
}

function shapeNode(node: WorkflowNode, document: WorkflowDocument) {
  return {
    ...node,
    type: node.node_type,
    data: Object.keys(node.data).length === 0 ? null : node.data,
    incoming_nodes: document.edges.filter((edge) => edge.target === node.id).map((edge) => edge.source),
    outgoing_nodes: document.edges.filter((edge) => edge.source === node.id).map((edge) => edge.target),
  };
}

function appSlugs(row: StoredWorkflow, document: WorkflowDocument): string[] {
  const slugs = document.nodes.flatMap(({ data }) => {
    const app = data['app'] ?? data['slug'];
    return typeof app === 'string'
      ? [app]
      : isRecord(app) && typeof app['slug'] === 'string'
        ? [app['slug']]
        : [];
  });
  return [...new Set([...(row.app_slug === null ? [] : [row.app_slug]), ...slugs])];
}
