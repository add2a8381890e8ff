export { apiKeysOf, hashApiKey, regenerateApiKey, revealApiKey } from '#organizations/api-keys';
export {
  changeLogRetention,
  changeOrganization,
  createOrganization,
  getOrganization,
  logRetentionOf,
  type NewOrganization,
} from '#organizations/organization';
