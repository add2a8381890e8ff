/** What the provider has done since it started or since the last reset. */
export interface StatsReport {
  /** By grant type, for example `refresh_token: {succeeded: 1, failed: 0}`. */
  tokenRequests: Record<string, { succeeded: number; failed: number }>;
  /** Error codes of failed token requests, for example `invalid_grant: 1`. */
  tokenErrors: Record<string, number>;
  /** By route and status, for example `POST /api/v1/contacts: {201: 3}`. */
  apiCalls: Record<string, Record<string, number>>;
  webhooks: { delivered: number; failedAttempts: number; gaveUp: number };
}

export interface Stats {
  token(grantType: string, error?: string): void;
  api(route: string, status: number): void;
  webhook(outcome: keyof StatsReport['webhooks']): void;
  report(): StatsReport;
  reset(): void;
}

export function createStats(): Stats {
  const empty = (): StatsReport => ({
    tokenRequests: {},
    tokenErrors: {},
    apiCalls: {},
    webhooks: { delivered: 0, failedAttempts: 0, gaveUp: 0 },
  });
  let now = empty();
  return {
    token(grantType, error) {
      const count = (now.tokenRequests[grantType] ??= { succeeded: 0, failed: 0 });
      if (error === undefined) {
        count.succeeded += 1;
        return;
      }
      count.failed += 1;
      now.tokenErrors[error] = (now.tokenErrors[error] ?? 0) + 1;
    },
    api(route, status) {
      const counts = (now.apiCalls[route] ??= {});
      counts[status] = (counts[status] ?? 0) + 1;
    },
    webhook(outcome) {
      now.webhooks[outcome] += 1;
    },
    report: () => structuredClone(now),
    reset() {
      now = empty();
    },
  };
}
