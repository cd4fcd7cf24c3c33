/** What a pointer and keys do in a histogram: a position, and a range from where it began to where it is. */

export interface BrushState {
  /** The bucket under the pointer or the keyboard's cursor; undefined when neither is there. */
  readonly cursor: number | undefined;
  /** Where a range that is being drawn began. */
  readonly start: number | undefined;
}

export type BrushEvent =
  | { readonly kind: 'hover' | 'press' | 'drag' | 'release'; readonly bucket: number }
  | { readonly kind: 'leave' | 'cancel' }
  | { readonly kind: 'key'; readonly key: string; readonly isShift: boolean; readonly count: number };

/** What comes of an event beside another state. */
export type BrushResult =
  | { readonly kind: 'none' }
  /** One bucket was chosen, or a range of them. */
  | { readonly kind: 'pick'; readonly bucket: number }
  | { readonly kind: 'range'; readonly from: number; readonly to: number }
  | { readonly kind: 'zoom-out' };

export const NO_BRUSH: BrushState = { cursor: undefined, start: undefined };
const NONE: BrushResult = { kind: 'none' };
/** So many buckets further with the keys for pages. */
const PAGE_BUCKETS = 10;

/** The next state, and what was asked for; undefined for a key that means nothing here. */
export function nextBrush(
  state: BrushState,
  event: BrushEvent,
): readonly [BrushState, BrushResult] | undefined {
  switch (event.kind) {
    case 'hover':
      return [{ ...state, cursor: event.bucket }, NONE];
    case 'press':
      return [{ cursor: event.bucket, start: event.bucket }, NONE];
    case 'drag':
      return [{ ...state, cursor: event.bucket }, NONE];
    case 'release':
      return [{ cursor: event.bucket, start: undefined }, chosen(state.start, event.bucket)];
    case 'leave':
      return [state.start === undefined ? NO_BRUSH : state, NONE];
    case 'cancel':
      return [NO_BRUSH, NONE];
    case 'key':
      return keyPressed(state, event.key, event.isShift, event.count);
  }
}

function chosen(start: number | undefined, end: number): BrushResult {
  if (start === undefined) return NONE;
  if (start === end) return { kind: 'pick', bucket: end };
  return { kind: 'range', from: Math.min(start, end), to: Math.max(start, end) };
}

function keyPressed(
  state: BrushState,
  key: string,
  isShift: boolean,
  count: number,
): readonly [BrushState, BrushResult] | undefined {
  const { start } = state;
  const cursor = state.cursor ?? count - 1;
  const moved = (to: number): readonly [BrushState, BrushResult] => [
    { cursor: Math.max(0, Math.min(count - 1, to)), start: isShift ? (start ?? cursor) : undefined },
    NONE,
  ];
  switch (key) {
    case 'ArrowLeft':
      return moved(state.cursor === undefined ? cursor : cursor - 1);
    case 'ArrowRight':
      return moved(cursor + 1);
    case 'PageUp':
      return moved(cursor - PAGE_BUCKETS);
    case 'PageDown':
      return moved(cursor + PAGE_BUCKETS);
    case 'Home':
      return moved(0);
    case 'End':
      return moved(count - 1);
    case 'Enter':
    case ' ':
      return [{ cursor, start: undefined }, chosen(start ?? cursor, cursor)];
    case '-':
    case 'Backspace':
      return [state, { kind: 'zoom-out' }];
    case 'Escape':
      return start === undefined ? undefined : [{ cursor, start: undefined }, NONE];
    default:
      return undefined;
  }
}
