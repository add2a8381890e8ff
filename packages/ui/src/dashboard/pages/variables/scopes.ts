import type { VariableScope } from '../../api/variables.ts';

export const scopeNames: Readonly<Record<VariableScope, string>> = {
  org: 'Organisation',
  workspace: 'Workspace',
  linked_account: 'Each linked account',
  workflow: 'Each workflow',
};
