import { visibleText } from '../../text/visible-text.ts';
import type { ExceptionJson, FrameJson } from './errors-json.ts';
import type { ErrorsState } from './errors-state.ts';
import { JsonTable } from './json-table.tsx';

/** What was caught comes first, its causes behind it; of each the innermost call first. */
export function StackTraces({
  exceptions,
  errors,
}: {
  exceptions: readonly ExceptionJson[];
  errors: ErrorsState;
}) {
  return (
    <>
      {[...exceptions].reverse().map((exception, i) => (
        <section key={i} class="exception">
          <h3>
            {i > 0 && <span class="hint">caused by </span>}
            {exception.module && <span class="hint">{visibleText(exception.module)}.</span>}
            {visibleText(exception.type)}
            {exception.isHandled === false && <small class="status-badge">unhandled</small>}
          </h3>
          {exception.value && <pre class="exception-value">{visibleText(exception.value)}</pre>}
          <StackTrace frames={exception.frames} errors={errors} />
        </section>
      ))}
    </>
  );
}

/** Calls of the app; those of libraries on request, and where there are no others. */
export function StackTrace({ frames, errors }: { frames: readonly FrameJson[]; errors: ErrorsState }) {
  if (frames.length === 0) return null;
  const innermostFirst = [...frames].reverse();
  const own = innermostFirst.filter(({ isInApp }) => isInApp);
  const showsAll = errors.showsAllFrames.value || own.length === 0;
  const shown = showsAll ? innermostFirst : own;
  const hidden = frames.length - own.length;
  const firstOwn = shown.findIndex(({ isInApp }) => isInApp);
  return (
    <div class="frames">
      {shown.map((frame, i) => (
        <Frame key={`${showsAll} ${i}`} frame={frame} isOpen={i === Math.max(0, firstOwn)} />
      ))}
      {own.length > 0 && hidden > 0 && (
        <button
          type="button"
          class="more-frames"
          onClick={() => {
            errors.showsAllFrames.value = !errors.showsAllFrames.value;
          }}
        >
          {showsAll ? 'Hide' : 'Show'} {hidden} {hidden === 1 ? 'frame' : 'frames'} of libraries <kbd>f</kbd>
        </button>
      )}
    </div>
  );
}

function Frame({ frame, isOpen }: { frame: FrameJson; isOpen: boolean }) {
  const { file, module, line, column, path } = frame;
  const hasMore = frame.source !== undefined || frame.vars !== undefined;
  const place = file ?? module ?? '?';
  const title = (
    <>
      <code class="frame-file" title={visibleText(path ?? place)}>
        {visibleText(place)}
        {line !== undefined && `:${line}`}
        {column !== undefined && `:${column}`}
      </code>
      {frame.function && (
        <span class="frame-function">
          in <code>{visibleText(frame.function)}</code>
        </span>
      )}
    </>
  );
  if (!hasMore)
    return (
      <div class="frame" data-own={frame.isInApp}>
        <p class="frame-title">{title}</p>
      </div>
    );
  return (
    <details class="frame" data-own={frame.isInApp} open={isOpen}>
      <summary class="frame-title">{title}</summary>
      <SourceLines frame={frame} />
      {frame.vars && <JsonTable values={frame.vars} label="Variables" />}
    </details>
  );
}

function SourceLines({ frame: { before, source, after, line } }: { frame: FrameJson }) {
  if (source === undefined) return null;
  const first = line === undefined ? undefined : line - before.length;
  return (
    <ol class="source" aria-label="Source">
      {[...before, source, ...after].map((text, i) => (
        <li key={i} data-at={i === before.length}>
          <span>{first === undefined ? '' : first + i}</span>
          <code>{visibleText(text) || ' '}</code>
        </li>
      ))}
    </ol>
  );
}
