import type { Page } from '../../page.ts';
import type { Line } from '../../stream/line.ts';
import { drawMessage, readMessage, SHOWN_MAX } from '../../stream/message.ts';
import { dynoColour } from '../../text/dyno-colour.ts';
import { clock, count, day, thousandths } from '../../text/words.ts';
import { Details } from '../details.tsx';
import { Icon } from '../icon.tsx';
import { Text } from './text.tsx';

export interface RowProps {
  readonly line: Line;
  readonly page: Page;
  readonly terms: readonly string[];
  /** The first line of its day: the day is said above it. */
  readonly isNewDay: boolean;
  readonly isSelected: boolean;
  readonly isOpen: boolean;
  readonly wrap: boolean;
}

/** One line. What can be done with it is listened to by the list. */
export function Row({ line, page, terms, isNewDay, isSelected, isOpen, wrap }: RowProps) {
  const { text, fields } = readMessage(line);
  const pieces = drawMessage(line, terms);
  const more = wrap ? 0 : newlines(text);
  const hidden = text.length - SHOWN_MAX;
  return (
    <div
      class={`row level-${line.level} dyno-${dynoColour(line.source, line.dyno)}`}
      data-at={line.position}
      data-selected={isSelected}
      data-open={isOpen}
    >
      {isNewDay && <h3 class="day">{day(line.ms)}</h3>}
      <div class="line">
        <button
          type="button"
          class="fold"
          tabIndex={-1}
          aria-expanded={isOpen}
          aria-label="Fold out"
          data-structured={fields.length > 0}
        >
          <Icon name="fold" />
        </button>
        <time dateTime={line.timestamp} title={line.timestamp}>
          {clock(line.ms)}
          <i>{thousandths(line.ms)}</i>
        </time>
        <button type="button" class="who" tabIndex={-1} title={`Show only ${line.source}[${line.dyno}]`}>
          {line.source !== 'app' && <i>{line.source}/</i>}
          {line.dyno}
        </button>
        <span class="text">
          <Text pieces={pieces} />
          {more > 0 && <span class="more">{`+${count(more, 'line')}`}</span>}
          {hidden > 0 && <span class="more">{`+${count(hidden, 'character')}`}</span>}
        </span>
      </div>
      {isOpen && <Details line={line} page={page} />}
    </div>
  );
}

function newlines(text: string): number {
  let found = 0;
  for (let i = text.indexOf('\n'); i !== -1; i = text.indexOf('\n', i + 1)) found++;
  return found;
}
