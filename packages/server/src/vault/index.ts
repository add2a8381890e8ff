export { addRingKey, dropOldRingKeys, ringFromFile } from '#vault/key-ring';
export { assertOpensStored, countOldSealed, resealAll } from '#vault/rotate';
export { sealContext } from '#vault/sealed-columns';
export { createVault, openVault, type Vault } from '#vault/vault';
