export { apiKeysOf, hashApiKey, regenerateApiKey, revealApiKey } from '#organizations/api-keys';
export {
  changeOrganization,
  createOrganization,
  getOrganization,
  type NewOrganization,
} from '#organizations/organization';
