import type { ApiDeps } from '#api/deps';
import { acmeClientId, acmeClientSecret } from '#boot/acme-crm';
import { createField } from '#configs/index';
import { saveAppSettings, upsertLinkedAccount } from '#connections/index';
import { findAppSetting } from '#db/app-setting';
import { listFields } from '#db/config-field';
import { findLinkedAccountRef } from '#db/linked-account';
import { findEventByName } from '#db/org-event';
import { listWorkflows } from '#db/workflow';
import type { Tenant } from '#domain/tenant';
import { createEvent, createWorkflow, publishWorkflow, type WorkflowCaller } from '#workflows/index';

/** The customer of the demo. */
export const demoAccountId = 'demo-customer';

const app = 'acme-crm';
const event = 'New Contact Created';
const workflowName = 'Add new contacts to Acme CRM';
const statusField = 'Status';

const sample = {
  name: 'Katherine Johnson',
  email: 'katherine.johnson@example.com',
  phone: '+1 555 0100',
  title: 'Mathematician',
};

const nodes = [
  { id: '1', node_type: 'start', name: 'Start', data: { trigger: { kind: 'event', event } } },
  {
    id: '2',
    node_type: 'app_action',
    name: 'Create contact',
    data: {
      app,
      action: 'createContact',
      parameters: {
        name: '{{event.name}}',
        email: '{{event.email}}',
        phone: '{{event.phone}}',
        title: '{{event.title}}',
        status: `{{dataslot.${statusField}}}`,
      },
    },
  },
  { id: '3', node_type: 'response', name: 'Answer', data: { data: { contact_id: '{{node.2.body.id}}' } } },
];
const edges = [
  { source: '1', target: '2' },
  { source: '2', target: '3' },
];

/**
 * Prepares the demo in the test environment: Acme CRM enabled with the OAuth client that Acme knows; once, an
 * event, a workflow that turns it into a contact of Acme CRM, and a customer to try them. What somebody deleted
 * of the latter stays deleted as long as the customer is there.
 */
export async function prepareDemo(deps: ApiDeps, orgId: string, acmeUrl: string): Promise<void> {
  const tenant: Tenant = { orgId, environment: 'test' };
  const setting = await findAppSetting(deps.db, tenant, app);
  // A client that somebody entered since is theirs to keep.
  if (setting === undefined || setting.client_id === acmeClientId) {
    await saveAppSettings(deps, tenant, app, {
      isEnabled: setting?.is_enabled ?? true,
      credentialSource: 'own',
      clientId: acmeClientId,
      clientSecret: acmeClientSecret(deps.vault),
      variables: { acme_base_url: acmeUrl },
      ...(setting === undefined && { optionalScopes: ['contacts:read', 'contacts:write'] }),
    });
  }
  if ((await findLinkedAccountRef(deps.db, tenant, demoAccountId)) !== undefined) return;
  if (setting?.is_enabled !== false) await makeWorkflow(deps, tenant);
  // Last, since it tells the next start that all is there.
  await upsertLinkedAccount(deps, tenant, demoAccountId, { name: 'Demo Customer' });
}

/** Each step looks first: a start may have been cut short between two of them. */
async function makeWorkflow(deps: ApiDeps, tenant: Tenant): Promise<void> {
  if ((await findEventByName(deps.db, tenant, event)) === undefined) {
    await createEvent(deps, tenant, { name: event, sample });
  }
  const caller: WorkflowCaller = { tenant, isCustomer: false };
  const page = { page: 1, limit: 1 };
  const found = await listWorkflows(deps.db, tenant, { slugs: [app], name: workflowName }, page);
  const { id } =
    found.rows[0] ??
    (await createWorkflow(deps, caller, {
      name: workflowName,
      description: 'Every contact that is created in our app becomes a contact in your Acme CRM.',
      slug: app,
      nodes,
      edges,
    }));
  const fields = await listFields(deps.db, tenant, app);
  if (!fields.some((field) => field.workflow_id === id)) {
    await createField(
      deps,
      tenant,
      { slug: app, workflowId: id },
      {
        name: statusField,
        fieldType: 'select',
        isRequired: true,
        definition: {
          help_text: 'What a new contact is in your CRM.',
          options: [
            { name: 'Lead', value: 'lead' },
            { name: 'Customer', value: 'customer' },
          ],
        },
      },
    );
  }
  await publishWorkflow(deps, caller, id);
}
