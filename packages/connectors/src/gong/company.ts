/** Actions on what a company holds: library, trackers, scorecards, users. */
import { action, field, get, path, post } from '#kit/index';
import { byCursor, folders, nameOf, type User, workspaces } from '#gong/lists';

const optionalWorkspace = field.select({ label: 'Workspace', required: false, options: workspaces });

export const listLibraryFolders = action({
  label: 'List Library Folders',
  group: 'Library',
  help: 'Public folders of the library; Gong gives out neither private nor archived ones.',
  effect: 'read',
  scopes: ['api:library:read'],
  input: { workspace: optionalWorkspace },
  request: (p) => get('/v2/library/folders', { workspaceId: p.workspace }),
  items: 'folders',
});

export const listCallsInFolder = action({
  label: 'List of Calls in Folder',
  group: 'Library',
  help: 'Calls and snippets in a library folder.',
  effect: 'read',
  scopes: ['api:library:read'],
  input: {
    workspace: field.select({
      label: 'Workspace',
      required: false,
      options: workspaces,
      help: 'Only to choose the folder.',
    }),
    folder: field.select({ label: 'Folder', options: folders }),
  },
  request: (p) => get('/v2/library/folder-content', { folderId: p.folder }),
  items: 'calls',
});

export const listTrackers = action({
  label: 'List Trackers',
  group: 'Tracker',
  help: 'Keyword trackers of the company or of one workspace.',
  effect: 'read',
  scopes: ['api:settings:trackers:read'],
  input: { workspace: optionalWorkspace },
  request: (p) => get('/v2/settings/trackers', { workspaceId: p.workspace }),
  items: 'keywordTrackers',
});

export const listScorecards = action({
  label: 'List Scorecards',
  group: 'Scorecard',
  help: 'All scorecards with their questions.',
  effect: 'read',
  scopes: ['api:settings:scorecards:read'],
  request: () => get('/v2/settings/scorecards'),
  items: 'scorecards',
});

export const listUsers = action({
  label: 'List Users',
  group: 'User',
  help: 'All users of the company.',
  effect: 'read',
  scopes: ['api:users:read'],
  input: {
    includeAvatars: field.boolean({
      label: 'With avatars',
      default: false,
      help: 'Synthetic users that stand for Gong’s own staff.',
    }),
  },
  request: (p) => get('/v2/users', { includeAvatars: p.includeAvatars }),
  items: 'users',
  pages: byCursor,
});

export const getUserById = action({
  label: 'Get User By Id',
  group: 'User',
  help: 'One user.',
  effect: 'read',
  scopes: ['api:users:read'],
  input: { userId: field.text({ label: 'User ID' }) },
  request: (p) => get(path`/v2/users/${p.userId}`),
  output: (body: { readonly user: unknown }) => body.user,
});

export const searchUser = action({
  label: 'Search User',
  group: 'User',
  help: 'Users that fit everything given: e-mail (aliases too), phone number, part of the name, time of creation.',
  effect: 'read',
  scopes: ['api:users:read'],
  input: {
    email: field.text({ label: 'E-mail', required: false }),
    phone: field.text({ label: 'Phone number', required: false }),
    name: field.text({ label: 'Name contains', required: false }),
    createdFrom: field.datetime({ label: 'Created from', required: false }),
    createdTo: field.datetime({ label: 'Created before', required: false }),
  },
  async run(p, http) {
    // Gong filters users by creation and ids only, and refuses a request without a filter object.
    const request = post('/v2/users/extensive', {
      filter: { createdFromDateTime: p.createdFrom, createdToDateTime: p.createdTo, includeAvatars: false },
    });
    const found = await http.list(request, { items: 'users', pages: byCursor, limit: 10_000 });
    return (found as User[]).filter((user) => fits(user, p));
  },
});

const digits = (phone: string) => phone.replaceAll(/\D/g, '');

function fits(
  user: User,
  wanted: {
    readonly email: string | undefined;
    readonly phone: string | undefined;
    readonly name: string | undefined;
  },
): boolean {
  const emails = [user.emailAddress, ...(user.emailAliases ?? [])].map((email) => email.toLowerCase());
  return (
    (wanted.email === undefined || emails.includes(wanted.email.trim().toLowerCase())) &&
    (wanted.phone === undefined || digits(user.phoneNumber ?? '') === digits(wanted.phone)) &&
    (wanted.name === undefined || nameOf(user).toLowerCase().includes(wanted.name.trim().toLowerCase()))
  );
}
