import { asProblem } from './api/problem.ts';
import { t } from './messages/messages.ts';

/** A failed call in words for the customer: the server's own where they are meant for people, else ours. */
export function explain(error: unknown): string {
  const { kind, message } = asProblem(error);
  if (kind === 'offline') return t('offline_text');
  return kind === 'refused' && message !== '' ? message : t('trouble_text');
}
