import {
  deleteEventRow,
  findEvent,
  findEventByName,
  firedEvents,
  insertEvent,
  listEvents,
  updateEventRow,
} from '#db/org-event';
import type { EventValues, FiredEvent, StoredEvent } from '#db/org-event';
import type { Pool } from 'pg';
import type { Db } from '#db/schema';
import { AppError } from '#domain/errors';
import type { FieldProblem } from '#domain/errors';
import { isForbiddenName, isRecord, parseExactJson } from '#domain/exact-json';
import { findJsonFault } from '#domain/json-fault';
import { schemaCompiler, type SchemaCheck } from '#domain/json-schema';
import type { Tenant } from '#domain/tenant';

/** Named messages of the SaaS company: a sample of what it will send is their schema. */

interface EventDeps {
  readonly db: Db;
}

/** As callers give it: the sample as an object or as JSON text. */
export interface EventInput {
  readonly name: string;
  readonly sample: unknown;
  readonly jsonSchema?: unknown;
}

const limits = { name: 200, sampleBytes: 1_000_000, depth: 64 };

export function allEvents(deps: EventDeps, tenant: Tenant): Promise<StoredEvent[]> {
  return listEvents(deps.db, tenant);
}

/** @throws AppError `not_found`. */
export async function getEvent(deps: EventDeps, tenant: Tenant, id: string): Promise<StoredEvent> {
  return (await findEvent(deps.db, tenant, id)) ?? missing(id);
}

/** @throws AppError `event_schema_invalid`, `event_exists`, `missing_field`. */
export async function createEvent(deps: EventDeps, tenant: Tenant, input: EventInput): Promise<StoredEvent> {
  const values = readEvent(input);
  const stored = await insertEvent(deps.db, tenant, values);
  if (stored === undefined) throw new AppError('event_exists', { name: values.name });
  return stored;
}

/** Changes the parts that are given. Workflows listen by name: those of the old name no longer start. */
export async function updateEvent(
  deps: EventDeps,
  tenant: Tenant,
  id: string,
  input: Partial<EventInput>,
): Promise<StoredEvent> {
  const before = await getEvent(deps, tenant, id);
  const values = readEvent({
    name: input.name ?? before.name,
    sample: input.sample ?? before.sample,
    jsonSchema: input.jsonSchema === undefined ? before.json_schema : input.jsonSchema,
  });
  const namesake = await findEventByName(deps.db, tenant, values.name);
  if (namesake !== undefined && namesake.id !== id) throw new AppError('event_exists', { name: values.name });
  return (await updateEventRow(deps.db, tenant, id, values)) ?? missing(id);
}

/** @throws AppError `not_found`. */
export async function deleteEvent(deps: EventDeps, tenant: Tenant, id: string): Promise<StoredEvent> {
  return (await deleteEventRow(deps.db, tenant, id)) ?? missing(id);
}

/** Checks firings of events. */
export interface FiringCheck {
  /**
   * The event of a fired name, once its payload fits the event's JSON Schema, when it has one.
   *
   * @throws AppError `event_not_found`, `invalid_request` naming each field of the payload at fault.
   */
  check(tenant: Tenant, name: string, payload: unknown): Promise<FiredEvent>;
}

export function createFiringCheck(deps: { readonly pool: Pool }): FiringCheck {
  const events = firedEvents(deps.pool);
  return {
    async check(tenant, name, payload) {
      const event = await events.commit({ tenant, name });
      if (event === undefined) throw new AppError('event_not_found', { event: name });
      if (event.json_schema !== null) {
        const problems = schemaProblems(event.json_schema, payload, 'payload');
        if (problems.length > 0) throw new AppError('invalid_request', { problems });
      }
      return event;
    },
  };
}

/** The sample as the wire lists it: dot paths with `object` for objects and `text` for everything else. */
export function flattenSample(
  sample: Readonly<Record<string, unknown>>,
): { key: string; type: 'object' | 'text' }[] {
  return Object.entries(sample).flatMap(([key, value]) => {
    if (!isRecord(value)) return [{ key, type: 'text' as const }];
    const below = flattenSample(value).map((entry) => ({ ...entry, key: `${key}.${entry.key}` }));
    return [{ key, type: 'object' as const }, ...below];
  });
}

/**
 * What is wrong with a value by a JSON Schema, each problem with the path of its field.
 *
 * @throws AppError `event_schema_invalid` when the schema itself does not compile.
 */
export function schemaProblems(
  schema: Readonly<Record<string, unknown>>,
  value: unknown,
  root: string,
): FieldProblem[] {
  return compileSchema(schema)(value)
    .slice(0, 20)
    .map((fault) => ({
      path: `${root}${fault.instancePath.replaceAll('/', '.')}`,
      message: fault.message ?? 'does not fit the schema',
    }));
}

const compileKept = schemaCompiler();

function compileSchema(schema: Readonly<Record<string, unknown>>): SchemaCheck {
  try {
    return compileKept(schema);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'it does not compile';
    throw new AppError(
      'event_schema_invalid',
      { reason: `The JSON Schema is refused: ${reason}.` },
      { cause },
    );
  }
}

function readEvent(input: EventInput): EventValues {
  const name = input.name.trim();
  if (name === '') throw new AppError('missing_field', { field: 'name' });
  if (name.length > limits.name) {
    throw new AppError('invalid_request', {
      problems: [{ path: 'name', message: `at most ${limits.name} characters` }],
    });
  }
  const jsonSchema = readJsonSchema(input.jsonSchema);
  return { name, sample: readSample(input.sample), jsonSchema };
}

/** The sample payload; a text is parsed, and what is wrong with it is told with its place. */
function readSample(given: unknown): Record<string, unknown> {
  const sample = typeof given === 'string' ? parseSample(given) : given;
  if (!isRecord(sample)) {
    const kind = Array.isArray(sample) ? 'a list' : sample === null ? 'null' : `a ${typeof sample}`;
    throw new AppError('event_schema_invalid', { reason: `It is ${kind}.` });
  }
  if (Buffer.byteLength(JSON.stringify(sample)) > limits.sampleBytes) {
    throw new AppError('event_schema_invalid', { reason: `It is larger than ${limits.sampleBytes} bytes.` });
  }
  refuseForbiddenKeys(sample, 0);
  return sample;
}

function parseSample(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch (cause) {
    throw new AppError('event_schema_invalid', { reason: placeOf(text) }, { cause });
  }
}

function placeOf(text: string): string {
  const fault = findJsonFault(text);
  if (fault === undefined) return 'It cannot be read.';
  return `The JSON breaks at line ${fault.line}, column ${fault.column} (position ${fault.position}): expected ${fault.expected}.`;
}

function readJsonSchema(given: unknown): Record<string, unknown> | null {
  if (given === undefined || given === null || given === '') return null;
  const schema = typeof given === 'string' ? parseSample(given) : given;
  if (!isRecord(schema)) {
    throw new AppError('event_schema_invalid', { reason: '"json_schema" is not a JSON object.' });
  }
  compileSchema(schema);
  return schema;
}

function refuseForbiddenKeys(value: unknown, depth: number): void {
  if (depth > limits.depth) {
    throw new AppError('event_schema_invalid', {
      reason: `It is nested more than ${limits.depth} levels deep.`,
    });
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    if (isForbiddenName(key)) throw new AppError('forbidden_key', { key });
    refuseForbiddenKeys(item, depth + 1);
  }
}

function missing(id: string): never {
  throw new AppError('not_found', { what: 'Event', id });
}
