/** Acme CRM: the demo provider of examples/acme-crm, a CRM with everything a real one makes difficult. */
import { at, connector, field, get, headerAuth, keybased, oauth2 } from '#kit/index';
import { createContact, deleteContact, getContact, listContacts, updateContact } from '#acme-crm/contacts';
import { createDeal, deleteDeal, getDeal, listDeals, listUsers, updateDeal } from '#acme-crm/deals';
import { contacts, users } from '#acme-crm/lists';
import {
  contactChanged,
  contactCreated,
  contactDeleted,
  contactUpdated,
  dealChanged,
  dealCreated,
  dealDeleted,
} from '#acme-crm/triggers';

export const acmeCrm = connector({
  home: import.meta.url,
  slug: 'acme-crm',
  name: 'Acme CRM',
  description: 'Contacts and deals of the demo CRM that comes with Inlay.',
  categories: ['crm', 'demo'],
  apiDocs: '{acme_base_url}/openapi.json',
  vars: {
    acme_base_url: field.url({
      label: 'Address of Acme CRM',
      placeholder: 'http://127.0.0.1:4400',
      help: 'Where this installation of Acme CRM runs.',
    }),
  },
  baseUrl: '{acme_base_url}/api/v1',
  auth: {
    oauth2: oauth2({
      authorizationUrl: '{acme_base_url}/oauth/authorize',
      tokenUrl: '{acme_base_url}/oauth/token',
      revocationUrl: '{acme_base_url}/oauth/revoke',
      clientAuth: 'basic',
      pkce: 'required',
      refresh: 'always',
      refreshTokenLifetimeSeconds: 90 * 24 * 3600,
      scopes: {
        required: {
          'users:read': 'See who you are and the people of your company',
          offline_access: 'Stay connected while you are away',
        },
        optional: {
          'contacts:read': 'Read contacts',
          'contacts:write': 'Add, change and delete contacts',
          'deals:read': 'Read deals',
          'deals:write': 'Add, change and delete deals',
        },
      },
    }),
    keybased: keybased({
      fields: {
        apiKey: field.secret({ label: 'API key', help: 'In Acme CRM: Settings, API keys.' }),
      },
      sign: (c) => headerAuth('X-Acme-Key', c.apiKey),
    }),
  },
  http: { limits: { perMinute: 60_000 } },
  check: {
    request: get('/users/me'),
    identifier(body) {
      const email = at(body, 'email');
      return typeof email === 'string' ? email : undefined;
    },
    // Webhooks name the company, so the connection has to know it.
    keep: (body) => ({ company_id: String(at(body, 'company.id')), user_id: String(at(body, 'id')) }),
  },
  options: { users, contacts },
  actions: {
    listContacts,
    getContact,
    createContact,
    updateContact,
    deleteContact,
    listDeals,
    getDeal,
    createDeal,
    updateDeal,
    deleteDeal,
    listUsers,
  },
  triggers: {
    contactUpdated,
    contactCreated,
    contactChanged,
    contactDeleted,
    dealCreated,
    dealChanged,
    dealDeleted,
  },
});
