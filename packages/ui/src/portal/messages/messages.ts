import { en } from './en.ts';

type Text = string | { readonly one: string; readonly other: string };
type Catalogue = { readonly [Key in keyof typeof en]: Text };

/** The name of a sentence in the catalogue. */
export type MessageKey = keyof typeof en;

const catalogue: Catalogue = en;
const locale = 'en';
const plural = new Intl.PluralRules(locale);

/** A sentence of the catalogue with its `{names}` filled in; `count` also picks the plural form. */
export function t(key: MessageKey, values: Readonly<Record<string, string | number>> = {}): string {
  const entry = catalogue[key];
  const text =
    typeof entry === 'string'
      ? entry
      : plural.select(Number(values['count'])) === 'one'
        ? entry.one
        : entry.other;
  return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

const dateTime = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });

/** A moment in the reader's own time zone; empty when the server sent no valid one. */
export function formatTime(iso: string | undefined): string {
  const date = new Date(iso ?? '');
  return Number.isNaN(date.getTime()) ? '' : dateTime.format(date);
}
