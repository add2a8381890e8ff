import { createHash, randomBytes } from 'node:crypto';
import { createVault, type Vault } from '#vault/vault';

/** A vault for tests that have no key ring. Vaults of one seed open what the others sealed. */
export function testVault(seed: string = randomBytes(8).toString('hex')): Vault {
  const key = createHash('sha256').update(seed).digest();
  return createVault({ keys: [{ id: '00'.repeat(8), key }], derivationKey: key });
}
