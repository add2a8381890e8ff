import { z } from 'zod';
import type { ConfigFieldView, ConfigView } from '#configs/index';

export const configFieldShape = z.looseObject({ id: z.string(), name: z.string(), field_type: z.string() });

const configWorkflowShape = z.looseObject({
  id: z.string(),
  name: z.string(),
  enabled: z.boolean(),
  fields: z.array(configFieldShape),
});

/** A config on the wire (spec/api §3); all three lists are always there. */
export const configShape = z.object({
  slug: z.string(),
  config_id: z.string(),
  fields: z.array(configFieldShape),
  workflows: z.array(configWorkflowShape),
  field_errors: z.array(
    z.object({ id: z.string(), name: z.string(), error: z.object({ message: z.string() }) }),
  ),
});

export function shapeConfig(view: ConfigView): z.output<typeof configShape> {
  return {
    slug: view.config.app_slug,
    config_id: view.config.config_id,
    fields: view.fields.map(shapeConfigField),
    workflows: view.workflows.map(({ workflow, isEnabled, fields }) => ({
      id: workflow.id,
      name: workflow.name,
      description: workflow.description,
      enabled: isEnabled,
      fields: fields.map(shapeConfigField),
    })),
    field_errors: [...view.errors],
  };
}

/** A value that is not set is left out: clients test for the key (spec/api §2.5). */
export function shapeConfigField({ field, definition, value, options, labels }: ConfigFieldView) {
  const optional = {
    value,
    defaultValue: definition.defaultValue,
    options,
    parent: definition.parent,
    placeholder: definition.placeholder,
    help_text: definition.helpText,
    associated_page: definition.page,
    mapping: definition.mapping,
    rule_columns: definition.ruleColumns,
    dynamic_map_field_object_name: definition.labelsObject,
  };
  return {
    id: field.id,
    name: field.name,
    field_type: field.field_type,
    required: field.is_required,
    multiple: field.is_multiple,
    hidden: field.is_hidden,
    labels,
    ...(definition.labelsObject === undefined ? {} : { has_dynamic_map_fields: true }),
    ...Object.fromEntries(Object.entries(optional).filter(([, item]) => item !== undefined && item !== null)),
  };
}
