import { type Field, fieldsOf, findAction } from '@inlay/connectors/kit';
import type { ConnectorCatalogue } from '#connections/deps';
import { inputProblem } from '#connections/input-problem';
import { AppError } from '#domain/errors';

/** An action as a program may read it: what it does, and its input as JSON Schema. */
export interface ActionDescription {
  readonly app: string;
  readonly label: string;
  readonly help: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** @throws AppError `app_not_found`, `action_not_found` */
export function describeAction(
  connectors: ConnectorCatalogue,
  slug: string,
  actionId: string,
): ActionDescription {
  const connector = connectors.get(slug);
  if (connector === undefined) throw new AppError('app_not_found', { slug, orgId: '' });
  try {
    const action = findAction(connector, actionId);
    const fields = Object.entries(fieldsOf(action));
    return {
      app: connector.name,
      label: action.label,
      help: action.help ?? action.label,
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
