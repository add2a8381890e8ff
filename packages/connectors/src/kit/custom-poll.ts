/** A polling trigger that nobody wrote a connector for: any GET of the App that lists records. */
import { InputError } from '#kit/errors';
import { type timeFormats, windowedRequest } from '#kit/generic';
import { at } from '#kit/json';
import type { Pages } from '#kit/paging';
import { type Duration, poll, type Poll } from '#kit/trigger';

export interface CustomPoll {
  readonly name: string;
  /** From the App's base URL; `[[from]]` and `[[to]]` stand for the times of the window. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly format: keyof typeof timeFormats;
  /** Dotted path to the rows. */
  readonly items: string;
  readonly pages?: Pages | undefined;
  /** Dotted path in a row to what tells rows apart. */
  readonly dedupeField: string;
  /** Dotted path to what changes with every change of a row; without it a row counts once, however it changes. */
  readonly versionField?: string | undefined;
  readonly everyMinutes: number;
  /** How much further back than the last poll each one asks. */
  readonly overlapMinutes: number;
}

/** @throws InputError, while it runs, for a row without the fields that tell rows apart */
export function customPoll(definition: CustomPoll): Poll {
  const { name, items, pages, dedupeField, versionField } = definition;
  const minutes = (count: number): Duration => `${count}m`;
  return poll({
    label: name,
    help: name,
    every: minutes(definition.everyMinutes),
    overlap: minutes(definition.overlapMinutes),
    list: ({ since, until }) => windowedRequest(definition, { from: since, to: until }, definition.format),
    items,
    ...(pages !== undefined && { pages }),
    id(row: unknown) {
      const id = part(row, dedupeField, 'dedupe_field');
      return versionField === undefined ? id : `${id}:${part(row, versionField, 'version_field')}`;
    },
    // Rows of any endpoint carry no time that is known: they stay in the order in which they came.
    at: () => '1970-01-01T00:00:00Z',
  });
}

function part(row: unknown, path: string, parameter: string): string {
  const value = at(row, path);
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  throw new InputError(
    'invalid_parameter',
    parameter,
    `A record has no "${path}" that tells it apart from others`,
  );
}
