/** Actions on calls. Gong dates are date-times; `to` is exclusive. */
import { action, compact, field, get, multipart, path, post, put } from '#kit/index';
import { byCursor, callOutcomes, users, workspaces } from '#gong/lists';

const workspace = field.select({ label: 'Workspace', required: false, options: workspaces });

const callId = field.text({ label: 'Call ID', help: 'Gong’s number of the call, up to 20 digits.' });

const callFilter = {
  from: field.datetime({ label: 'From', required: false }),
  to: field.datetime({ label: 'To', required: false }),
  callIds: field.list({ label: 'Call IDs', required: false }),
  workspace,
};

interface CallFilter {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly callIds: readonly string[] | undefined;
  readonly workspace: string | undefined;
}

const asFilter = (p: CallFilter) => ({
  fromDateTime: p.from,
  toDateTime: p.to,
  callIds: p.callIds,
  workspaceId: p.workspace,
});

export const listCalls = action({
  label: 'List Calls',
  group: 'Call',
  help: 'Calls that started inside a date range.',
  effect: 'read',
  scopes: ['api:calls:read:basic'],
  input: {
    from: field.datetime({ label: 'From' }),
    to: field.datetime({ label: 'To', required: false, help: 'Not included; now when left out.' }),
    workspace,
  },
  request: (p, { now }) =>
    get('/v2/calls', {
      fromDateTime: p.from,
      toDateTime: p.to ?? now.toISOString(),
      workspaceId: p.workspace,
    }),
  items: 'calls',
  pages: byCursor,
});

export const createCall = action({
  label: 'Create Call',
  group: 'Call',
  help: 'Adds a call from another phone or recording system. Upload its media afterwards, or give a media URL.',
  effect: 'repeatable', // Gong takes one call for each clientUniqueId
  scopes: ['api:calls:create'],
  input: {
    clientUniqueId: field.text({ label: 'Unique ID', help: 'Yours; Gong refuses a second call with it.' }),
    title: field.text({ label: 'Title', required: false }),
    actualStart: field.datetime({ label: 'Started at' }),
    duration: field.number({ label: 'Duration in seconds', required: false }),
    direction: field.select({
      label: 'Direction',
      options: ['Inbound', 'Outbound', 'Conference', 'Unknown'],
    }),
    primaryUser: field.select({ label: 'Host', options: users, help: 'The Gong user who held the call.' }),
    parties: field.json({
      label: 'Parties',
      shape: 'array',
      help: 'Everyone on the call, the host included.',
      placeholder:
        '[{"userId": "234599484848423"}, {"name": "Test User", "emailAddress": "test@example.com"}]',
    }),
    disposition: field.select({ label: 'Outcome', required: false, options: callOutcomes }),
    purpose: field.text({ label: 'Purpose', required: false }),
    meetingUrl: field.url({ label: 'Meeting URL', required: false }),
    downloadMediaUrl: field.url({
      label: 'Media URL',
      required: false,
      help: 'Gong downloads the recording from here. Leave out to upload it with Add Call Media.',
    }),
    languageCode: field.text({ label: 'Language', required: false, placeholder: 'en-US' }),
    context: field.json({ label: 'CRM context', required: false, shape: 'array' }),
    customData: field.textarea({ label: 'Custom data', required: false }),
    workspace,
  },
  request: ({ workspace, ...call }) => post('/v2/calls', { ...call, workspaceId: workspace }),
});

export const getCallById = action({
  label: 'Get Call By Id',
  group: 'Call',
  help: 'The basic data of one call.',
  effect: 'read',
  scopes: ['api:calls:read:basic'],
  input: { callId },
  request: (p) => get(path`/v2/calls/${p.callId}`),
  output: (body: { readonly call: unknown }) => body.call,
});

export const listCallTranscripts = action({
  label: 'List Call Transcripts',
  group: 'Call',
  help: 'Transcripts of calls, by date range, by ids, or both.',
  effect: 'read',
  scopes: ['api:calls:read:transcript'],
  input: callFilter,
  request: (p) => post('/v2/calls/transcript', { filter: asFilter(p) }),
  items: 'callTranscripts',
  pages: byCursor,
});

export const listExtensiveCalls = action({
  label: 'List Extensive Calls',
  group: 'Call',
  help: 'Calls with parties, content, interaction and, if wanted, links to the media.',
  effect: 'read',
  scopes: ['api:calls:read:extensive', 'api:calls:read:media-url'],
  input: {
    ...callFilter,
    hosts: field.multiselect({ label: 'Hosts', required: false, options: users }),
    context: field.select({
      label: 'CRM context',
      options: ['None', 'Basic', 'Extended'],
      default: 'None',
    }),
    parties: field.boolean({ label: 'With parties', default: true }),
    content: field.boolean({
      label: 'With content',
      default: false,
      help: 'Topics, trackers, brief, outline, highlights, key points and outcome.',
    }),
    interaction: field.boolean({
      label: 'With interaction',
      default: false,
      help: 'Speakers and statistics.',
    }),
    comments: field.boolean({ label: 'With public comments', default: false }),
    media: field.boolean({
      label: 'With media links',
      default: false,
      help: 'Needs the scope api:calls:read:media-url; links live eight hours.',
    }),
  },
  request: (p) =>
    post('/v2/calls/extensive', {
      filter: { ...asFilter(p), primaryUserIds: p.hosts },
      contentSelector: { context: p.context, exposedFields: exposed(p) },
    }),
  items: 'calls',
  pages: byCursor,
});

interface Wanted {
  readonly parties: boolean;
  readonly content: boolean;
  readonly interaction: boolean;
  readonly comments: boolean;
  readonly media: boolean;
}

const contentParts = [
  'structure',
  'topics',
  'trackers',
  'brief',
  'outline',
  'highlights',
  'callOutcome',
  'keyPoints',
];
const interactionParts = ['speakers', 'video', 'personInteractionStats', 'questions'];
const all = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, true]));

function exposed(p: Wanted): object {
  return compact({
    parties: p.parties,
    content: p.content ? all(contentParts) : undefined,
    interaction: p.interaction ? all(interactionParts) : undefined,
    collaboration: p.comments ? { publicComments: true } : undefined,
    media: p.media ? true : undefined,
  });
}

export const addCallMedia = action({
  label: 'Add Call Media',
  group: 'Call',
  help: 'Uploads the recording of a call made with Create Call: WAV, MP3, MP4, MKV or FLAC, up to 1.5 GB.',
  effect: 'repeatable', // PUT on one call
  scopes: ['api:calls:create'],
  input: { callId, media: field.file({ label: 'Recording' }) },
  request: (p) => put(path`/v2/calls/${p.callId}/media`, multipart({ mediaFile: p.media })),
});
