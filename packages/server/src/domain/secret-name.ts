const secretWords =
  /authorization|cookie|token|secret|passw|credential|signature|(?:^|[-_.])(?:auth|session|sig)(?:[-_.]|$)|key$/i;

/** Whether a header or parameter holds a secret, by its name. Rather one too many: what it hides is only not shown. */
export function isSecretName(name: string): boolean {
  return secretWords.test(name) && name.toLowerCase() !== 'idempotency-key';
}
