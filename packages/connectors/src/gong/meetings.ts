/** Actions on meetings. Gong opens these endpoints company by company ("limited release") and answers 403 before. */
import { action, del, field, type Input, path, post, put } from '#kit/index';
import { userEmails } from '#gong/lists';

const meeting = {
  organizer: field.select({
    label: 'Organizer',
    options: userEmails,
    help: 'E-mail address of a Gong user.',
  }),
  start: field.datetime({ label: 'Start' }),
  end: field.datetime({ label: 'End' }),
  invitees: field.list({ label: 'Invitee e-mails', of: 'email' }),
  title: field.text({ label: 'Title', required: false }),
  provider: field.text({
    label: 'Conferencing provider',
    required: false,
    placeholder: 'zoom',
    help: 'The organizer’s default when left out.',
  }),
  externalId: field.text({ label: 'External ID', required: false }),
};

const meetingId = field.text({ label: 'Meeting ID' });

const asMeeting = (p: Input<typeof meeting>) => ({
  organizerEmail: p.organizer,
  startTime: p.start,
  endTime: p.end,
  invitees: p.invitees.map((email) => ({ email })),
  title: p.title,
  provider: p.provider,
  externalId: p.externalId,
});

export const createMeeting = action({
  label: 'Create Meeting',
  group: 'Meeting',
  help: 'Creates a meeting for a Gong user, with Gong’s consent page.',
  effect: 'once', // two calls book two meetings
  scopes: ['api:meetings:user:create'],
  input: meeting,
  request: (p) => post('/v2/meetings', asMeeting(p)),
});

export const updateMeeting = action({
  label: 'Update Meeting',
  group: 'Meeting',
  help: 'Replaces the data of a meeting.',
  effect: 'repeatable',
  scopes: ['api:meetings:user:update'],
  input: { meetingId, ...meeting },
  request: ({ meetingId, ...rest }) => put(path`/v2/meetings/${meetingId}`, asMeeting(rest)),
});

export const deleteMeeting = action({
  label: 'Delete Meeting',
  group: 'Meeting',
  help: 'Deletes a meeting.',
  effect: 'repeatable',
  scopes: ['api:meetings:user:delete'],
  input: { meetingId, organizer: meeting.organizer },
  request: (p) => del(path`/v2/meetings/${p.meetingId}`, { organizerEmail: p.organizer }),
});
