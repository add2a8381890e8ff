export { addRingKey, dropOldRingKeys, ringFromFile } from '#vault/key-ring';
export { type SealedColumn, sealContext } from '#vault/sealed-columns';
export { createVault, openVault, type Vault } from '#vault/vault';
