import { derivedId } from '#domain/ids';

/** The stable `app_id` of a built-in app: it has no row. */
export function appId(slug: string): string {
  return derivedId('app', slug);
}

/** Where an app's logo is served; public, since the SaaS company shows it in pages of its own. */
export function appIconUrl(publicUrl: string, slug: string): string {
  return `${publicUrl}/icons/${encodeURIComponent(slug)}.svg`;
}
