export { apiKeysOf, hashApiKey, regenerateApiKey, revealApiKey, signingKey } from '#organizations/api-keys';
export {
  changeLogRetention,
  changeOrganization,
  createOrganization,
  getOrganization,
  logRetentionOf,
  type NewOrganization,
} from '#organizations/organization';
