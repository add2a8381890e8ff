import { z } from 'zod';
import { AppError } from '#domain/errors';
import { done, nodeType, type NodeContext, type NodeEffect } from '#engine/nodes/node-type';
import { need } from '#engine/nodes/settings';
import { forgetRecord, recallIds, rememberIds, type DataRefData } from '#records/index';

const id = z.union([z.string(), z.number()]).transform(String);

const settings = z.looseObject({
  action: z.enum(['create', 'bulk_create', 'get_by_record_id', 'get_by_external_id', 'delete_by_record_id']),
  ref_name: z.string().min(1, 'name the data reference'),
  record_id: id.optional(),
  external_id: id.optional(),
  slug: z.string().optional(),
  records: z.array(z.looseObject({ record_id: id, external_id: id, slug: z.string().optional() })).optional(),
});

type Settings = z.output<typeof settings>;

interface Action {
  readonly label: string;
  readonly effect: NodeEffect;
  perform(given: Settings, ctx: NodeContext): Promise<DataRefData>;
}

const actions: Readonly<Record<Settings['action'], Action>> = {
  create: {
    label: 'Remember an id',
    effect: 'repeatable',
    perform(given, ctx) {
      const entry = {
        record_id: need(given.record_id, 'record_id'),
        external_id: need(given.external_id, 'external_id'),
        slug: slugOf(given.slug, ctx),
      };
      return rememberIds(ctx.services.records, ctx.tenant, ctx.linkedAccount.id, given.ref_name, [entry]);
    },
  },
  bulk_create: {
    label: 'Remember many ids',
    effect: 'repeatable',
    perform(given, ctx) {
      const entries = need(given.records, 'records').map(({ record_id, external_id, slug }) => ({
        record_id,
        external_id,
        slug: slugOf(slug ?? given.slug, ctx),
      }));
      return rememberIds(ctx.services.records, ctx.tenant, ctx.linkedAccount.id, given.ref_name, entries);
    },
  },
  get_by_record_id: {
    label: 'Find by record id',
    effect: 'read',
    perform: (given, { services, tenant, linkedAccount }) =>
      recallIds(services.records, tenant, linkedAccount.id, given.ref_name, {
        recordId: need(given.record_id, 'record_id'),
      }),
  },
  get_by_external_id: {
    label: 'Find by external id',
    effect: 'read',
    perform: (given, { services, tenant, linkedAccount }) =>
      recallIds(services.records, tenant, linkedAccount.id, given.ref_name, {
        externalId: need(given.external_id, 'external_id'),
        slug: given.slug === '' ? undefined : given.slug,
      }),
  },
  delete_by_record_id: {
    label: 'Forget a record',
    effect: 'repeatable',
    perform(given, { services, tenant, linkedAccount }) {
      const recordId = need(given.record_id, 'record_id');
      return forgetRecord(services.records, tenant, linkedAccount.id, given.ref_name, recordId);
    },
  },
};

/** Which record of ours is which record in an app (spec/workflows §12.18). */
export const dataRef = nodeType({
  type: 'data_ref',
  label: 'Data references',
  group: 'data',
  help: 'Remembers which of your records is which record in an app, for this customer.',
  reference: {
    output:
      '`{message, data}`, where `data` is `{<record id>: [{slug, value}]}`. What is not found is no error: the message says so.',
    errors: 'A missing id, by its name; an unknown reference when reading or deleting.',
    effect: 'remembering is `repeatable`, finding `read`.',
  },
  effect: ({ action }) => actions[action].effect,
  fields: {
    action: {
      type: 'select',
      label: 'Action',
      required: true,
      options: Object.entries(actions).map(([value, { label: name }]) => ({ name, value })),
    },
    ref_name: { type: 'text', label: 'Reference', required: true, placeholder: 'contacts' },
    record_id: { type: 'text', label: 'Record id', help: 'Your own id of the record.' },
    external_id: { type: 'text', label: 'External id', help: 'Its id in the app.' },
    slug: { type: 'app', label: 'App', help: 'The app of the workflow when empty.' },
    records: { type: 'json', label: 'Records', help: 'A list of {"record_id", "external_id"}.' },
  },
  settings,
  async run(given, ctx) {
    const data = await actions[given.action].perform(given, ctx);
    return done({ message: messageOf(given, data), data });
  },
});

/** A miss is no failure: whoever asks wants to know just that. */
function messageOf({ action }: Settings, data: DataRefData): string {
  if (Object.keys(data).length === 0) return 'Ref not found';
  if (action === 'delete_by_record_id') return 'Ref deleted';
  return action.startsWith('get') ? 'Ref found' : 'Ref saved';
}

function slugOf(given: string | undefined, ctx: NodeContext): string {
  const slug = given === undefined || given === '' ? ctx.appSlug : given;
  if (slug === undefined) throw new AppError('missing_field', { field: 'slug' });
  return slug;
}
