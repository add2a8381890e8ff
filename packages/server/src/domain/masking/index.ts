export {
  createMasker,
  redacted,
  secretsIn,
  unmasked,
  type Masked,
  type Masker,
  type TruePart,
} from '#domain/masking/masker';
export { pick, readValuePath, valuesAt, type ValuePath } from '#domain/masking/value-path';
