const REASON =
  'Counting all of them would have taken too long: a shorter time or a narrower search can be counted.';

/** Beside counts of as many lines as there was time for. */
export function PartialNote({ isShort = false }: { readonly isShort?: boolean }) {
  return (
    <span class="partial-note" title={REASON}>
      not all counted
      {!isShort && <>. {REASON}</>}
    </span>
  );
}

/** How many there are at least, when not all were counted. */
export function atLeast(count: string, isPartial: boolean | undefined): string {
  return isPartial ? `${count}+` : count;
}
