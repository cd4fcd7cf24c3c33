/** Searches that may match a line in which what finds them was found. */
export interface Candidates {
  /** Numbers of predicates that all of them need besides: asked first, once for all. */
  readonly guards: readonly number[];
  /** The searches' predicates. */
  readonly roots: readonly number[];
}
