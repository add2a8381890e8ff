/** Actions that report what people do with content elsewhere, so that Gong shows it in its activity timeline. */
import { action, compact, field, put } from '#kit/index';
import { workspaces } from '#gong/lists';

const event = {
  reportingSystem: field.text({
    label: 'Reporting system',
    help: 'The same value in all events of one system.',
  }),
  eventTimestamp: field.datetime({ label: 'Happened at' }),
  eventId: field.text({
    label: 'Event ID',
    required: false,
    help: 'With it Gong takes the event once only, so a lost answer can be tried again.',
  }),
  contentId: field.text({ label: 'Content ID' }),
  contentUrl: field.url({ label: 'Content URL' }),
  contentTitle: field.text({ label: 'Content title' }),
  shareId: field.text({ label: 'Share ID', required: false }),
};

const extras = {
  crmContext: field.json({ label: 'CRM context', required: false, shape: 'array' }),
  contentProperties: field.json({ label: 'Content properties', required: false, shape: 'array' }),
  workspace: field.select({ label: 'Workspace', required: false, options: workspaces }),
};

/** Gong answers 409 to an event id it has; without one every call is a new event. */
const onceUnlessNamed = ({ eventId }: { readonly eventId: string | undefined }) =>
  eventId === undefined ? 'once' : 'repeatable';

export const createContentViewEvent = action({
  label: 'Create Content View Event',
  group: 'Content',
  help: 'Reports that somebody outside the company viewed content.',
  effect: onceUnlessNamed,
  scopes: ['api:engagement-data:write'],
  input: {
    ...event,
    viewActionTitle: field.text({ label: 'Action name', required: false, placeholder: 'Document Viewed' }),
    viewInfoUrl: field.url({ label: 'More about the event', required: false }),
    viewerEmail: field.email({ label: 'Viewer e-mail', required: false }),
    viewerName: field.text({ label: 'Viewer name', required: false }),
    ...extras,
  },
  request: ({ viewerEmail, viewerName, workspace, ...rest }) =>
    put('/v2/customer-engagement/content/viewed', {
      ...rest,
      viewer: person({ email: viewerEmail, name: viewerName }),
      workspaceId: workspace,
    }),
});

export const createContentShareEngagementEvent = action({
  label: 'Create Content Share Engagement Event',
  group: 'Content',
  help: 'Reports that a Gong user shared content with people outside the company.',
  effect: onceUnlessNamed,
  scopes: ['api:engagement-data:write'],
  input: {
    ...event,
    shareInfoUrl: field.url({ label: 'More about the share', required: false }),
    sharerEmail: field.email({ label: 'Sharer e-mail', required: false }),
    sharerName: field.text({ label: 'Sharer name', required: false }),
    recipients: field.list({ label: 'Recipient e-mails', of: 'email' }),
    sharingMessageSubject: field.text({ label: 'Message subject', required: false }),
    sharingMessageBody: field.textarea({ label: 'Message body', required: false }),
    ...extras,
  },
  request: ({ sharerEmail, sharerName, recipients, workspace, ...rest }) =>
    put('/v2/customer-engagement/content/shared', {
      ...rest,
      sharer: person({ email: sharerEmail, name: sharerName }),
      recipients: recipients.map((email) => ({ email })),
      workspaceId: workspace,
    }),
});

function person(parts: {
  readonly email: string | undefined;
  readonly name: string | undefined;
}): object | undefined {
  const known = compact(parts);
  return Object.keys(known).length === 0 ? undefined : known;
}
