import { call } from './http.ts';
import type {
  Application,
  AuthType,
  Config,
  ConfigChange,
  ConfigField,
  OptionValue,
  RuleColumns,
} from './wire.ts';

/** Everything the portal asks of the server, for the linked account of one session token. */
export interface PortalApi {
  listApps(signal?: AbortSignal): Promise<readonly Application[]>;
  getApp(slug: string, signal?: AbortSignal): Promise<Application>;
  /** The provider's consent page; with `returnTo` the provider's answer leads back to that path of ours. */
  startOAuth(slug: string, fields: Readonly<Record<string, string>>, returnTo?: string): Promise<string>;
  /** The newest attempt of this account at this app that failed; `{}` when there is none. */
  lastFailure(slug: string): Promise<Failure>;
  connectWithKeys(slug: string, fields: Readonly<Record<string, unknown>>): Promise<void>;
  disconnect(slug: string, authType: AuthType): Promise<void>;
  openConfig(slug: string, signal?: AbortSignal): Promise<Config>;
  saveConfig(slug: string, change: ConfigChange): Promise<Config>;
  loadField(target: FieldTarget, parentValue: unknown, signal?: AbortSignal): Promise<ConfigField>;
  loadRuleColumns(target: FieldTarget, lhs: OptionValue, signal?: AbortSignal): Promise<RuleColumns>;
}

/** Why an authorization did not end in a connection. */
export interface Failure {
  readonly id?: string;
  /** The customer said no, as opposed to something going wrong. */
  readonly is_denial?: boolean;
  readonly message?: string;
}

/** A field of an app's config, or of one workflow in it. */
export interface FieldTarget {
  readonly slug: string;
  readonly fieldId: string;
  readonly workflowId?: string | undefined;
}

export function createPortalApi(token: string, configId: string | undefined): PortalApi {
  const config = configId === undefined ? {} : { config_id: configId };
  const fieldCall = ({ slug, workflowId }: FieldTarget) => ({
    method: 'POST' as const,
    token,
    headers: { slug },
    query: { ...config, ...(workflowId !== undefined && { workflow_id: workflowId }) },
  });
  const at = (slug: string) => encodeURIComponent(slug);
  return {
    listApps: (signal) => call({ path: '/api/v2/f-sdk/application', token, signal }),
    getApp: (slug, signal) => call({ path: `/api/v2/f-sdk/application/${at(slug)}`, token, signal }),
    async startOAuth(slug, fields, returnTo) {
      const query = { ...fields, ...(returnTo !== undefined && { return_to: returnTo }) };
      const { auth_url } = await call<{ auth_url: string }>({
        path: `/api/v1/${at(slug)}/integrate`,
        query,
        token,
      });
      return auth_url;
    },
    lastFailure: (slug) => call({ path: `/api/portal/apps/${at(slug)}/last-failure`, token }),
    async connectWithKeys(slug, body) {
      await call({ method: 'POST', path: `/api/v2/app/${at(slug)}/save`, body, token });
    },
    async disconnect(slug, authType) {
      const path = `/api/v1/linked-acc/integration/${at(slug)}`;
      await call({ method: 'DELETE', path, query: { auth_type: authType }, token });
    },
    openConfig: (slug, signal) =>
      call({ method: 'POST', path: '/api/v2/f-sdk/config', body: { slug, ...config }, token, signal }),
    saveConfig: (slug, change) =>
      call({ method: 'PUT', path: '/api/v2/f-sdk/config', body: { slug, ...config, ...change }, token }),
    loadField: (target, parentValue, signal) =>
      call({
        ...fieldCall(target),
        path: `/api/v2/public/config/field/${at(target.fieldId)}`,
        body: parentValue === undefined ? {} : { value: parentValue },
        signal,
      }),
    async loadRuleColumns(target, lhs, signal) {
      const { rule_column } = await call<{ rule_column: RuleColumns }>({
        ...fieldCall(target),
        path: `/api/v2/public/config/rule-engine/${at(target.fieldId)}`,
        body: { rule_column: { lhs } },
        signal,
      });
      return rule_column;
    },
  };
}
