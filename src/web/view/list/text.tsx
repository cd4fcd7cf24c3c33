import type { Piece } from '../../text/marks.ts';

/** Pieces of a message. Text is only ever text here: nothing in it becomes HTML. */
export function Text({ pieces }: { pieces: readonly Piece[] }) {
  return (
    <>
      {pieces.map(({ text, names, colour, ground }, i) =>
        names === '' && !colour && !ground ? (
          text
        ) : (
          <span
            key={i}
            class={names}
            style={colour || ground ? { color: colour, backgroundColor: ground } : undefined}
          >
            {text}
          </span>
        ),
      )}
    </>
  );
}
