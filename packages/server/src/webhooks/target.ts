import { redactedUrl } from '#outbound/index';
import { sealContext, type Vault } from '#vault/index';

/** Where a rule sends and what it adds. All of it may hold secrets: incoming webhooks have theirs in the path. */
export interface Target {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of custom webhooks: the template of the body; null: the payload as it is. */
  readonly body: string | null;
}

export function sealTarget(vault: Pick<Vault, 'sealJson'>, ruleId: string, target: Target): Buffer {
  return vault.sealJson(target, sealContext('alert_rule.target_sealed', ruleId));
}

export function openTarget(vault: Pick<Vault, 'openJson'>, ruleId: string, sealed: Buffer): Target {
  return vault.openJson(sealed, sealContext('alert_rule.target_sealed', ruleId)) as Target;
}

/** An address as people may see it: enough to know it again, without the part that lets anybody in. */
export function shownUrl(url: string): string {
  const parsed = new URL(url);
  const isKnownSecret = /(^|\.)(slack\.com|discord\.com|office\.com|googleapis\.com)$/.test(parsed.hostname);
  return isKnownSecret ? `${parsed.origin}/…` : redactedUrl(parsed);
}
