/** Who acts: a linked account as every feature needs it. */
export interface LinkedAccountRef {
  /** Our record id: what foreign keys hold. */
  readonly id: string;
  /** The id the SaaS company chose: what callers write and read. */
  readonly accountId: string;
  readonly name: string | null;
}
