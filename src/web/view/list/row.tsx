import type { Line } from '../../stream/line.ts';
import { dynoColor } from '../../text/dyno-color.ts';
import {
  formatCount,
  formatDate,
  formatMilliseconds,
  formatTimeOfDay,
  type TimeZone,
} from '../../text/format.ts';
import { fieldValue } from '../../text/line-fields.ts';
import { messageSpans, PREVIEW_CHARACTERS_MAX, parseMessage } from '../../text/parsed-message.ts';
import { visibleText } from '../../text/visible-text.ts';
import { Icon } from '../icon.tsx';
import { LineDetails } from '../line-details.tsx';
import type { LineListHost } from './list-host.ts';
import { StyledText } from './styled-text.tsx';

export interface RowProps {
  readonly line: Line;
  readonly page: LineListHost;
  readonly terms: readonly string[];
  /** The first line of its day: the day is shown above it. */
  readonly isNewDay: boolean;
  readonly isSelected: boolean;
  readonly isExpanded: boolean;
  readonly wrap: boolean;
  /** Fields whose values stand before the message. */
  readonly columns?: readonly string[];
  /** In which its time is shown. */
  readonly zone: TimeZone;
}

/** One line. Its clicks are handled by the list. */
export function Row(props: RowProps) {
  const { line, page, terms, isNewDay, isSelected, isExpanded, wrap, columns = [], zone } = props;
  const { text, fields } = parseMessage(line);
  const spans = messageSpans(line, terms);
  const more = wrap ? 0 : countNewlines(text);
  const hidden = text.length - PREVIEW_CHARACTERS_MAX;
  const timestamp = visibleText(line.timestamp);
  const [source, dyno] = [visibleText(line.source), visibleText(line.dyno)];
  return (
    <div
      class={`row level-${line.level} dyno-${dynoColor(line.source, line.dyno)}`}
      data-at={line.at}
      data-selected={isSelected}
      data-expanded={isExpanded}
    >
      {isNewDay && <h3 class="day">{formatDate(line.ms, zone)}</h3>}
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
        {columns.length > 0 && (
          <span class="columns">
            {columns.map((name) => (
              <span key={name}>{visibleText(fieldValue(line, name) ?? '')}</span>
            ))}
          </span>
        )}
        <span class="text">
          <StyledText spans={spans} />
          {more > 0 && <span class="more">{`+${formatCount(more, 'line')}`}</span>}
          {hidden > 0 && <span class="more">{`+${formatCount(hidden, 'character')}`}</span>}
        </span>
      </div>
      {isExpanded && <LineDetails line={line} page={page} />}
    </div>
  );
}

function countNewlines(text: string): number {
  let found = 0;
  for (let i = text.indexOf('\n'); i !== -1; i = text.indexOf('\n', i + 1)) found++;
  return found;
}
