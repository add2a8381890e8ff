/** Gong: revenue intelligence. API at help.gong.io/apidocs; every scope and path from Gong's own V2 document. */
import { basicAuth, connector, field, get, keybased, oauth2 } from '#kit/index';
import {
  addCallMedia,
  createCall,
  getCallById,
  listCalls,
  listCallTranscripts,
  listExtensiveCalls,
} from '#gong/calls';
import {
  getUserById,
  listCallsInFolder,
  listLibraryFolders,
  listScorecards,
  listTrackers,
  listUsers,
  searchUser,
} from '#gong/company';
import { createContentShareEngagementEvent, createContentViewEvent } from '#gong/content';
import { callOutcomes, folders, type User, userEmails, users, workspaces } from '#gong/lists';
import { createMeeting, deleteMeeting, updateMeeting } from '#gong/meetings';
import { optionalScopes, requiredScopes } from '#gong/scopes';
import { callMatchedRule, callProcessed } from '#gong/triggers';

export const gong = connector({
  home: import.meta.url,
  slug: 'gong',
  name: 'Gong',
  description: 'Read calls, transcripts and scorecards, add calls and meetings, and report engagement.',
  categories: ['sales', 'revenue-intelligence'],
  apiDocs: 'https://help.gong.io/apidocs',
  // Each company has its own host; tokens of companies outside the US fail on the generic one.
  baseUrl: (meta) => meta['api_base_url_for_customer'] ?? meta['baseUrl'] ?? 'https://api.gong.io',
  hosts: ['api.gong.io', '*.api.gong.io'],
  auth: {
    oauth2: oauth2({
      authorizationUrl: 'https://app.gong.io/oauth2/authorize',
      tokenUrl: 'https://app.gong.io/oauth2/generate-customer-token',
      clientAuth: 'basic',
      pkce: 'off',
      // Gong wants the client id in the form too, beside the Basic header.
      tokenParams: { client_id: '{client_id}' },
      refresh: 'always',
      scopes: { required: requiredScopes, optional: optionalScopes },
      token: { lifetimeSeconds: 86_400 },
      keep: ['api_base_url_for_customer'],
      consent: 'admin', // consent is company-wide and needs a technical administrator
    }),
    keybased: keybased({
      fields: {
        accessKey: field.text({ label: 'Access Key' }),
        accessKeySecret: field.secret({ label: 'Access Key Secret' }),
        baseUrl: field.url({
          label: 'API base URL',
          required: false,
          placeholder: 'https://us-12345.api.gong.io',
          help: 'Shown on Gong’s API page above the keys; differs by company.',
        }),
      },
      keep: ['baseUrl'],
      sign: (c) => basicAuth(c.accessKey, c.accessKeySecret),
    }),
  },
  http: {
    // Counted per Gong company; a refusal is 429 with Retry-After.
    limits: { perSecond: 3, perDay: 10_000, per: 'connection' },
    // A period or filter without rows is answered 404. A wrong id is 404 too, with other words.
    emptyList: (status, body) => status === 404 && /^No \w+ found/i.test(firstError(body)),
  },
  check: {
    request: get('/v2/users'),
    identifier: (body) => commonDomain((body as { readonly users?: readonly User[] }).users ?? []),
  },
  options: { workspaces, users, userEmails, folders, callOutcomes },
  actions: {
    listCalls,
    createCall,
    getCallById,
    listCallTranscripts,
    listExtensiveCalls,
    addCallMedia,
    listLibraryFolders,
    listCallsInFolder,
    createMeeting,
    updateMeeting,
    deleteMeeting,
    listTrackers,
    searchUser,
    listUsers,
    getUserById,
    listScorecards,
    createContentViewEvent,
    createContentShareEngagementEvent,
  },
  triggers: { callProcessed, callMatchedRule },
});

function firstError(body: unknown): string {
  const errors = (body as { readonly errors?: unknown } | null)?.errors;
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  return typeof first === 'string' ? first : '';
}

/** Gong names no company; the e-mail domain that most of its users share is what people recognise. */
function commonDomain(people: readonly User[]): string | undefined {
  const counts = new Map<string, number>();
  for (const { emailAddress } of people) {
    const domain = emailAddress.split('@')[1]?.toLowerCase();
    if (domain !== undefined) counts.set(domain, (counts.get(domain) ?? 0) + 1);
  }
  return [...counts].toSorted((a, b) => b[1] - a[1])[0]?.[0];
}
