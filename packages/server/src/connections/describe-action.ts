import { type Effect, effectOf, type Field, fieldsOf, findAction } from '@inlay/connectors/kit';
import { connectorWithCustomActions } from '#connections/custom-actions/find';
import type { ConnectionDeps } from '#connections/deps';
import { inputProblem } from '#connections/input-problem';
import type { Tenant } from '#domain/tenant';

/** An action as a program may read it: what it does, and its input as JSON Schema. */
export interface ActionDescription {
  readonly app: string;
  readonly label: string;
  readonly help: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** What resending it would do. */
  effectOf(input: Readonly<Record<string, unknown>>, idempotencyKey: string | undefined): Effect;
}

/** @throws AppError `app_not_found`, `action_not_found` */
export async function describeAction(
  deps: Pick<ConnectionDeps, 'pool' | 'connectors'>,
  tenant: Tenant,
  slug: string,
  actionId: string,
): Promise<ActionDescription> {
  const connector = await connectorWithCustomActions(deps, tenant, slug, actionId);
  try {
    const action = findAction(connector, actionId);
    const fields = Object.entries(fieldsOf(action));
    return {
      app: connector.name,
      label: action.label,
      help: action.help ?? action.label,
      effectOf: (input, idempotencyKey) => effectOf(action, input, idempotencyKey),
      parameters: {
        type: 'object',
        properties: Object.fromEntries(fields.map(([name, field]) => [name, schemaOf(field)])),
        required: fields.flatMap(([name, field]) => (field.required ? [name] : [])),
        additionalProperties: false,
      },
    };
  } catch (error) {
    throw inputProblem(error, connector);
  }
}

function schemaOf(field: Field): Record<string, unknown> {
  const choices = Array.isArray(field.options)
    ? (field.options as readonly { value: unknown }[]).map(({ value }) => value)
    : undefined;
  return {
    ...typeOf(field, choices),
    title: field.label,
    ...(field.help !== undefined && { description: field.help }),
    ...(field.default !== undefined && { default: field.default }),
  };
}

function typeOf(field: Field, choices: readonly unknown[] | undefined): Record<string, unknown> {
  switch (field.type) {
    case 'number':
      return { type: 'number' };
    case 'boolean':
      return { type: 'boolean' };
    case 'select':
      return choices === undefined ? {} : { enum: choices };
    case 'multiselect':
      return { type: 'array', items: choices === undefined ? {} : { enum: choices } };
    case 'list':
      return { type: 'array', items: { type: field.of === 'number' ? 'number' : 'string' } };
    case 'map':
      return { type: 'object' };
    case 'json':
      return field.shape === 'object' || field.shape === 'array' ? { type: field.shape } : {};
    case 'file':
      return {};
    case 'text':
    case 'secret':
    case 'date':
    case 'datetime':
    case 'email':
    case 'url':
    case 'textarea':
      return { type: 'string' };
  }
  return field.type satisfies never;
}
