import { formatCount } from '../../../common/text/format-numbers.ts';
import type { Line } from '../../stream/line.ts';
import { dynoColor } from '../../text/dyno-color.ts';
import { formatDate, formatMilliseconds, formatTimeOfDay, type TimeZone } from '../../text/format.ts';
import { fieldValue } from '../../text/line-fields.ts';
import {
  matchInTrace,
  messageSpans,
  PREVIEW_CHARACTERS_MAX,
  parseMessage,
} from '../../text/parsed-message.ts';
import { visibleText } from '../../text/visible-text.ts';
import { Icon } from '../icon.tsx';
import { LineDetails } from '../line-details.tsx';
import type { LineListHost } from './list-host.ts';
import { FOLDED_ROWS } from './row-layout.ts';
import { StyledText } from './styled-text.tsx';

/** Shorter texts have no more rows, however narrow the list. */
const FOLDED_LENGTH_MIN = 50;

export interface RowProps {
  readonly line: Line;
  readonly page: LineListHost;
  readonly terms: readonly string[];
  /** The first line of its day: the day is shown above it. */
  readonly isNewDay: boolean;
  readonly isSelected: boolean;
  readonly isExpanded: boolean;
  /** Is it shown to its end, however many rows that are? */
  readonly isUnfolded: boolean;
  readonly wrap: boolean;
  /** In which its time is shown. */
  readonly zone: TimeZone;
  /** Names of fields whose values stand before the text. */
  readonly columns: readonly string[];
}

/** One line. Its clicks are handled by the list. */
export function Row(props: RowProps) {
  const { line, page, terms, isNewDay, isSelected, isExpanded, isUnfolded, wrap, zone, columns } = props;
  const { text, fields, trace } = parseMessage(line);
  // As long as nobody unfolds it, a stack trace is what happened and where.
  const summary = wrap && (isUnfolded || isExpanded) ? undefined : trace;
  const end = summary ? Math.min(text.indexOf('\n'), PREVIEW_CHARACTERS_MAX) : PREVIEW_CHARACTERS_MAX;
  const spans = messageSpans(line, terms, end);
  const more = wrap && !summary ? 0 : countNewlines(text);
  const match = summary && matchInTrace(text, summary, terms);
  const hidden = summary ? 0 : text.length - PREVIEW_CHARACTERS_MAX;
  const timestamp = visibleText(line.timestamp);
  const [source, dyno] = [visibleText(line.source), visibleText(line.dyno)];
  return (
    <div
      class={`row level-${line.level} dyno-${dynoColor(line.source, line.dyno)}`}
      data-at={line.at}
      data-selected={isSelected}
      aria-current={isSelected}
      data-expanded={isExpanded}
      data-unfolded={isUnfolded}
      data-trace={trace !== undefined}
    >
      {isNewDay && <h2 class="day">{formatDate(line.ms, zone)}</h2>}
      <div class="line">
        <button
          type="button"
          class="expand-button"
          tabIndex={-1}
          aria-expanded={isExpanded}
          aria-label="Expand"
          data-structured={fields.length > 0}
        >
          <Icon name="expand" />
        </button>
        <time dateTime={timestamp} title={timestamp}>
          {formatTimeOfDay(line.ms, zone)}
          <i>{formatMilliseconds(line.ms)}</i>
        </time>
        <button type="button" class="origin" tabIndex={-1} title={`Show only ${source}[${dyno}]`}>
          {line.streamName && <i class="stream-name">{visibleText(line.streamName)} </i>}
          {source !== 'app' && <i>{source}/</i>}
          {dyno}
        </button>
        {columns.map((key) => {
          const value = visibleText(fieldValue(line, key) ?? '');
          return (
            <span key={key} class="column-cell" data-key={value && visibleText(key)} title={value}>
              {value}
            </span>
          );
        })}
        <span class="text">
          <StyledText spans={spans} />
          {summary?.error && <span class="trace-error">{summary.error}</span>}
          {summary && <span class="own-frame">{summary.frame}</span>}
          {match && (
            <span class="own-frame">
              <StyledText spans={match} />
            </span>
          )}
          {more > 0 && <span class="more">{`+${formatCount(more, 'line')}`}</span>}
          {hidden > 0 && <span class="more">{`+${formatCount(hidden, 'character')}`}</span>}
        </span>
        {wrap && mayBeFolded(text) && (
          <button type="button" class="unfold-button" tabIndex={-1} aria-expanded={isUnfolded}>
            {isUnfolded ? 'less' : 'more'}
          </button>
        )}
      </div>
      {isExpanded && <LineDetails line={line} page={page} />}
    </div>
  );
}

/** Can it have more rows than {@link FOLDED_ROWS}? Where it has, the list finds out. */
function mayBeFolded(text: string): boolean {
  return text.length > FOLDED_LENGTH_MIN || countNewlines(text) >= FOLDED_ROWS;
}

function countNewlines(text: string): number {
  let found = 0;
  for (let i = text.indexOf('\n'); i !== -1; i = text.indexOf('\n', i + 1)) found++;
  return found;
}
