export {
  apiKeysOf,
  type ApiKeySummary,
  createApiKey,
  hashApiKey,
  type OrganizationDeps,
  regenerateApiKey,
  revealApiKey,
  signingApiKey,
} from '#organizations/api-keys';
export {
  changeOrganization,
  createFirstKeys,
  createOrganization,
  getOrganization,
  type NewOrganization,
} from '#organizations/organization';
