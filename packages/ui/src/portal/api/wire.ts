/** What the public API answers (spec: Cobalt's v2 wire), as far as the portal reads it. */

export type AuthType = 'oauth2' | 'keybased';

export interface InputField {
  readonly name: string;
  readonly label?: string;
  readonly placeholder?: string;
  readonly required?: boolean;
  readonly type?: string;
  readonly multiple?: boolean;
  readonly help_text?: string;
  readonly options?: readonly { readonly name?: string; readonly value: string }[];
}

export interface ConnectedAccount {
  readonly identifier?: unknown;
  readonly auth_type: AuthType;
  readonly connectedAt?: string;
  readonly status: 'active' | 'expired';
}

export interface Application {
  readonly app_id: string;
  readonly name: string;
  readonly slug: string;
  readonly description?: string;
  readonly icon?: string;
  readonly tags?: readonly string[];
  readonly auth_type: AuthType;
  readonly auth_type_options?: Partial<Record<AuthType, readonly InputField[]>>;
  readonly connected?: boolean;
  readonly connected_accounts?: readonly ConnectedAccount[];
  readonly reauth_required?: boolean;
}

export type OptionValue = string | number;

export interface Option {
  readonly name: string;
  readonly value: OptionValue;
}

export interface MapColumn {
  readonly name?: string;
  readonly options?: readonly Option[];
  readonly multiple?: boolean;
}

interface RuleColumn {
  readonly name?: string;
  readonly type?: string;
  readonly options?: readonly Option[];
}

export interface RuleColumns {
  readonly rhs?: RuleColumn;
  readonly operator?: RuleColumn;
}

export interface Rule {
  readonly lhs?: OptionValue;
  readonly operator?: string;
  readonly rhs?: unknown;
}

export interface RuleGroup {
  readonly logic: 'AND' | 'OR';
  readonly conditions: readonly (Rule | RuleGroup)[];
}

export interface ConfigField {
  readonly id: string;
  readonly name: string;
  readonly field_type: string;
  readonly required?: boolean;
  readonly multiple?: boolean;
  readonly hidden?: boolean;
  readonly value?: unknown;
  readonly defaultValue?: unknown;
  readonly options?: readonly Option[];
  readonly labels?: readonly (Option & { readonly multiple?: boolean })[];
  readonly parent?: string;
  readonly placeholder?: string;
  readonly help_text?: string;
  readonly associated_page?: string;
  readonly mapping?: { readonly lhs?: MapColumn; readonly rhs?: MapColumn };
  readonly rule_columns?: Readonly<Record<string, RuleColumns>>;
}

export interface ConfigWorkflow {
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly enabled: boolean;
  readonly fields: readonly ConfigField[];
  readonly associated_page?: string;
}

interface FieldError {
  readonly id: string;
  readonly name?: string;
  readonly error?: { readonly message?: string };
}

export interface Config {
  readonly slug: string;
  readonly config_id: string;
  readonly fields: readonly ConfigField[];
  readonly workflows: readonly ConfigWorkflow[];
  readonly field_errors: readonly FieldError[];
}

export interface WorkflowChange {
  readonly id: string;
  readonly enabled: boolean;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface ConfigChange {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly workflows: readonly WorkflowChange[];
}

/** What opening the link gives: who asks, for whom, in which colours, and the token that speaks for them. */
export interface PortalSession {
  readonly token: string;
  /** Names the link without being a secret: the browser's cookie proves the rest on a reload. */
  readonly link: string;
  readonly organization: { readonly name: string; readonly logo?: string; readonly return_url?: string };
  readonly properties: { readonly color?: unknown; readonly bgColor?: unknown; readonly name?: unknown };
  readonly config_id?: string;
}
