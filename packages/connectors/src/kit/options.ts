/** Lists read live from the linked account: what a config field or a parameter can offer. */
import type { Choice } from '#kit/choice';
import type { Pages } from '#kit/paging';
import type { ApiRequest } from '#kit/request';

/** A declared list, erased: the row type mattered only while it was written. */
export interface Options {
  readonly kind: 'options';
  /** Sibling fields whose values the request needs. */
  readonly dependsOn: readonly string[];
  readonly scopes: readonly string[];
  readonly request: (params: Readonly<Record<string, string | undefined>>) => ApiRequest;
  readonly items: string;
  readonly pages?: Pages;
  readonly option: (row: never) => Choice;
}

/**
 * Declares a live list. Used by object (`options: workspaces`), so a misspelt name cannot compile.
 *
 * `dependsOn` names sibling fields; the list is asked for only once all of them have a value. `items` is the
 * dotted path to the rows, `option` turns a row into what is shown and what
 * is stored: annotate the row's type, it cannot be inferred.
 */
export function options<const D extends string = never>(spec: {
  readonly dependsOn?: readonly D[];
  readonly scopes?: readonly string[];
  readonly request: (params: { readonly [K in D]: string }) => ApiRequest;
  readonly items: string;
  readonly pages?: Pages;
  readonly option: (row: never) => Choice;
}): Options {
  return Object.freeze({
    kind: 'options',
    dependsOn: spec.dependsOn ?? [],
    scopes: spec.scopes ?? [],
    request: spec.request as Options['request'],
    items: spec.items,
    ...(spec.pages !== undefined && { pages: spec.pages }),
    option: spec.option,
  });
}
