/** One thing to choose: what is shown and what is stored. */
export interface Choice {
  readonly name: string;
  readonly value: string;
}
