import { readFile } from 'node:fs/promises';
import { type Fields, urlOf, type Connector } from '@inlay/connectors/kit';
import { z } from 'zod';
import type { App } from '#connections/index';

const parameter = z.object({
  name: z.string(),
  type: z.string(),
  label: z.string(),
  required: z.boolean(),
  help: z.string().optional(),
  placeholder: z.string().optional(),
  options: z.array(z.object({ name: z.string(), value: z.string() })).optional(),
});
const scope = z.object({ id: z.string(), description: z.string() });

export const appSummaryShape = z.object({
  slug: z.string(),
  name: z.string(),
  description: z.string(),
  categories: z.array(z.string()),
  icon: z.string(),
  is_enabled: z.boolean(),
  auth_types: z
    .array(z.enum(['oauth2', 'keybased']))
    .describe('The ways in that the connector offers, configured or not'),
});

export const appDetailShape = appSummaryShape.extend({
  documentation_url: z.string().nullable(),
  actions: z.array(
    z.object({
      id: z.string(),
      label: z.string(),
      group: z.string(),
      help: z.string(),
      scopes: z.array(z.string()),
      input: z.array(parameter),
    }),
  ),
  triggers: z.array(
    z.object({ id: z.string(), label: z.string(), help: z.string(), kind: z.enum(['poll', 'webhook']) }),
  ),
  mandatory_scopes: z.array(scope),
  offered_scopes: z.array(scope),
  variables: z.array(parameter).describe('What differs by installation and must be supplied'),
  setup_guide: z.string().describe('Markdown'),
  connections: z.int().describe('Of all linked accounts in this environment'),
  settings: z.object({
    credential_source: z.enum(['ours', 'own']),
    has_our_credentials: z.boolean(),
    client_id: z.string().nullable(),
    has_client_secret: z.boolean(),
    callback_url: z.string(),
    optional_scopes: z.array(z.string()),
    custom_scopes: z.array(z.string()),
    variables: z.record(z.string(), z.string()),
  }),
});

export function shapeAppSummary({ connector, settings }: App): z.output<typeof appSummaryShape> {
  const { oauth2, keybased } = connector.auth;
  return {
    slug: connector.slug,
    name: connector.name,
    description: connector.description,
    categories: [...connector.categories],
    // Of our own origin, whatever the public address: the dashboard's policy allows no other.
    icon: `/icons/${connector.slug}.svg`,
    is_enabled: settings.isEnabled,
    auth_types: [...(oauth2 ? ['oauth2' as const] : []), ...(keybased ? ['keybased' as const] : [])],
  };
}

export async function shapeAppDetail(
  app: App,
  connections: number,
): Promise<z.output<typeof appDetailShape>> {
  const { connector, settings } = app;
  const scopes = connector.auth.oauth2?.scopes;
  return {
    ...shapeAppSummary(app),
    documentation_url: documentationUrl(connector, settings.variables),
    actions: Object.entries(connector.actions).map(([id, action]) => ({
      id,
      label: action.label,
      group: action.group,
      help: action.help,
      scopes: [...action.scopes],
      input: parameters(action.input),
    })),
    triggers: Object.entries(connector.triggers).map(([id, { label, help, kind }]) => ({
      id,
      label,
      help,
      kind,
    })),
    mandatory_scopes: described(scopes?.required),
    offered_scopes: described({ ...scopes?.optional, ...scopes?.second?.optional }),
    variables: parameters(connector.vars),
    setup_guide: await readFile(connector.files.setup, 'utf8'),
    connections,
    settings: {
      credential_source: settings.credentialSource,
      has_our_credentials: settings.hasOurCredentials,
      client_id: settings.clientId ?? null,
      has_client_secret: settings.hasClientSecret,
      callback_url: settings.callbackUrl,
      optional_scopes: [...settings.optionalScopes],
      custom_scopes: [...settings.customScopes],
      variables: { ...settings.variables },
    },
  };
}

/** Null while the address depends on a variable that nobody has supplied yet. */
function documentationUrl(connector: Connector, vars: Readonly<Record<string, string>>): string | null {
  try {
    return urlOf(connector.apiDocs, { meta: {}, vars });
  } catch {
    return null;
  }
}

function described(scopes: Readonly<Record<string, string>> = {}): z.output<typeof scope>[] {
  return Object.entries(scopes).map(([id, description]) => ({ id, description }));
}

/** Fixed choices are passed on; a list that must be read live from an account is left to the account's forms. */
function parameters(fields: Fields): z.output<typeof parameter>[] {
  return Object.entries(fields).map(([name, { type, label, required, help, placeholder, options }]) => ({
    name,
    type,
    label,
    required,
    ...(help !== undefined && { help }),
    ...(placeholder !== undefined && { placeholder }),
    ...(options !== undefined && !('kind' in options) && { options: options.map((one) => ({ ...one })) }),
  }));
}
