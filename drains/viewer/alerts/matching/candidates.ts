/** Searches that may match a line in which what finds them was found. */
export interface Candidates {
  /** Numbers of predicates that all of them need besides: asked first, once for all. */
  readonly guards: readonly number[];
  /** A field of which all of them ask something besides; -1 for none. */
  readonly field: number;
  /** The searches' predicates. */
  readonly roots: readonly number[];
  /** Of each of them what it needs besides all this. */
  readonly terms: readonly (readonly number[])[];
}
