import type { TextSpan } from '../../text/text-spans.ts';

/** The spans of a message. Text is only ever text here: nothing in it becomes HTML. */
export function StyledText({ spans }: { spans: readonly TextSpan[] }) {
  return (
    <>
      {spans.map(({ text, classNames, color, background }, i) =>
        classNames === '' && !color && !background ? (
          text
        ) : (
          <span
            key={i}
            class={classNames}
            style={color || background ? { color, backgroundColor: background } : undefined}
          >
            {text}
          </span>
        ),
      )}
    </>
  );
}
