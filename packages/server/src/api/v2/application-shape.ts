import { describeFields, type FieldDescription, type Fields } from '@inlay/connectors/kit';
import { z } from 'zod';
import { wireTime } from '#api/wire';
import type { App } from '#connections/index';
import { appIconUrl, appId } from '#domain/app';

const inputField = z.object({
  name: z.string(),
  label: z.string(),
  placeholder: z.string(),
  required: z.boolean(),
  type: z.string(),
  multiple: z.boolean().optional(),
  help_text: z.string().optional(),
  options: z.array(z.object({ name: z.string(), value: z.string() })).optional(),
});
type InputField = z.output<typeof inputField>;

const authType = z.enum(['oauth2', 'keybased']);

/** Application of spec/api §3. */
export const applicationShape = z.object({
  _id: z.string(),
  app_id: z.string(),
  name: z.string(),
  description: z.string(),
  icon: z.string(),
  slug: z.string(),
  type: z.string(),
  kind: z.enum(['native', 'custom', 'universal_connector']),
  tags: z.array(z.string()),
  ecosystem: z.boolean(),
  auth_type: authType.describe('The first way in that works; see auth_type_options for all.'),
  auth_type_options: z.object({
    oauth2: z.array(inputField).optional(),
    keybased: z.array(inputField).optional(),
  }),
  auth_input_map: z.array(inputField),
  connected: z.boolean(),
  connected_accounts: z.array(
    z.object({
      identifier: z.unknown(),
      auth_type: authType,
      connectedAt: z.string(),
      status: z.enum(['active', 'expired']),
      connection_id: z.string(),
    }),
  ),
  reauth_required: z.boolean(),
});

/** An app on Cobalt's wire. */
export function shapeApplication(publicUrl: string, app: App): z.output<typeof applicationShape> {
  const { connector, connections } = app;
  const { oauth2, keybased } = connector.auth;
  const id = appId(connector.slug);
  // Before the SaaS company has entered a client nothing works yet: then all that the app knows is shown.
  const usable = app.authTypes.length > 0 ? app.authTypes : (['oauth2', 'keybased'] as const);
  const keyFields = keybased === undefined ? [] : inputFields(app, keybased.fields);
  return {
    _id: id,
    app_id: id,
    name: connector.name,
    description: connector.description,
    icon: appIconUrl(publicUrl, connector.slug),
    slug: connector.slug,
    type: connector.slug,
    kind: 'native',
    tags: [...connector.categories],
    ecosystem: false,
    auth_type: app.authTypes[0] ?? (oauth2 === undefined ? 'keybased' : 'oauth2'),
    auth_type_options: {
      ...(oauth2 !== undefined && usable.includes('oauth2') && { oauth2: inputFields(app, oauth2.before) }),
      ...(keybased !== undefined && usable.includes('keybased') && { keybased: keyFields }),
    },
    auth_input_map: keyFields,
    connected: app.isConnected,
    connected_accounts: connections.map((one) => ({
      identifier: one.identifier ?? 'NA',
      auth_type: one.authType,
      connectedAt: wireTime(one.connectedAt),
      status: one.status,
      connection_id: one.connectionId,
    })),
    reauth_required: app.needsReauth,
  };
}

function inputFields(app: App, fields: Fields): InputField[] {
  return describeFields(app.connector, fields).map((field) => ({
    name: field.name,
    label: field.label,
    placeholder: field.placeholder ?? '',
    required: field.required,
    type: wireFieldType(field.type),
    ...(field.type === 'multiselect' && { multiple: true }),
    ...(field.help !== undefined && { help_text: field.help }),
    ...(field.choices !== undefined && { options: [...field.choices] }),
  }));
}

/** Cobalt's clients draw these; everything else is typed as text. */
export function wireFieldType(type: FieldDescription['type']): string {
  switch (type) {
    case 'secret':
      return 'password';
    case 'multiselect':
      return 'select';
    case 'json':
    case 'map':
      return 'json';
    case 'list':
    case 'file':
      return 'text';
    default:
      return type;
  }
}
