/** Every permission an app can ask for, with the words the consent page shows. */
export const scopeWords = {
  'contacts:read': 'See your contacts',
  'contacts:write': 'Create, change and delete contacts',
  'deals:read': 'See your deals',
  'deals:write': 'Create, change and delete deals',
  'users:read': 'See the people in your company and who you are',
  offline_access: 'Keep this access while you are away',
} as const;

export type Scope = keyof typeof scopeWords;

export const allScopes = Object.keys(scopeWords) as Scope[];

export function isScope(value: string): value is Scope {
  return Object.hasOwn(scopeWords, value);
}
