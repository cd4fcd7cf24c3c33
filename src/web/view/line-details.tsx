import type { ComponentProps } from 'preact';
import { type Line, SEVERITIES } from '../stream/line.ts';
import { serverNowMs } from '../stream/server-clock.ts';
import { formatDurationMs } from '../text/format.ts';
import { lineFields, namesTrace } from '../text/line-fields.ts';
import type { MessageField } from '../text/message-fields.ts';
import { messageSpans, PREVIEW_CHARACTERS_MAX, parseMessage } from '../text/parsed-message.ts';
import { fieldSearch, narrowedSearch, toSearchPhrase } from '../text/search-terms.ts';
import { visibleText } from '../text/visible-text.ts';
import { DetailRow } from './detail-row.tsx';
import { Icon } from './icon.tsx';
import type { LineListHost } from './list/list-host.ts';
import { StyledText } from './list/styled-text.tsx';

/** An expanded line: its fields, its metadata, and actions. */
export function LineDetails({ line, page }: { line: Line; page: LineListHost }) {
  const { text } = parseMessage(line);
  const fields = lineFields(line);
  const isTruncated = text.length > PREVIEW_CHARACTERS_MAX || !page.preferences.wrap.value;
  return (
    <div class="details">
      {isTruncated && (
        <pre class="full-message">
          <StyledText spans={messageSpans(line, [], 1_000_000)} />
        </pre>
      )}
      {fields.length > 0 && (
        <table class="fields">
          <tbody>
            {fields.map((field, i) => (
              <FieldRow key={`${i} ${field.key}`} field={field} message={text} page={page} />
            ))}
          </tbody>
        </table>
      )}
      <dl class="metadata">
        <DetailRow
          name="time"
          value={`${line.timestamp} (${formatDurationMs(serverNowMs() - line.ms)} ago)`}
        />
        <DetailRow name="from" value={`${line.source}[${line.dyno}]`} />
        <DetailRow name="host" value={line.hostname} />
        <DetailRow
          name="level"
          value={`${line.level} (severity ${line.severity}, ${SEVERITIES[line.severity] ?? '?'})`}
        />
        {line.msgid && <DetailRow name="msgid" value={line.msgid} />}
        {line.structured_data && <DetailRow name="structured data" value={line.structured_data} />}
        <DetailRow name="position" value={line.position} />
      </dl>
      <div class="actions">
        {page.hasHiddenLines && (
          <button type="button" onClick={() => void page.showInContext(line)}>
            <Icon name="context" /> View in context <kbd>x</kbd>
          </button>
        )}
        <button type="button" onClick={() => void page.copyToClipboard(page.linkTo(line), 'Link')}>
          <Icon name="link" /> Copy link <kbd>c</kbd>
        </button>
        <button type="button" onClick={() => void page.copyToClipboard(line.message, 'Message')}>
          <Icon name="copy" /> Copy message
        </button>
        <button type="button" onClick={() => page.showOnlyOrigin(line)}>
          Only {visibleText(line.source)}[{visibleText(line.dyno)}]
        </button>
      </div>
    </div>
  );
}

/** A field, and what can be done with it. */
function FieldRow({ field, message, page }: { field: MessageField; message: string; page: LineListHost }) {
  const { key, value, kind } = field;
  const name = visibleText(key);
  const search = fieldSearch(field, message);
  const narrow = (isExcluded: boolean): void =>
    page.searchFor(narrowedSearch(page.currentSearch ?? '', search, isExcluded));
  const isColumn = page.columns?.value.includes(key) ?? false;
  return (
    <tr>
      <th scope="row">{name}</th>
      <td data-kind={kind}>
        {namesTrace(field) ? (
          <TraceLink value={value} page={page} />
        ) : value === '' ? (
          '""'
        ) : (
          visibleText(value)
        )}
      </td>
      <td class="field-actions">
        <FieldButton
          icon="search"
          title="Search for this value"
          label={`Search for ${name}`}
          isDisabled={value === ''}
          onClick={() => page.searchFor(search)}
        />
        <FieldButton
          icon="only"
          title="Only this: also search for it"
          label={`Only this ${name}`}
          isDisabled={value === ''}
          onClick={() => narrow(false)}
        />
        <FieldButton
          icon="not"
          title="Not this: leave out lines with it"
          label={`Not this ${name}`}
          isDisabled={value === ''}
          onClick={() => narrow(true)}
        />
        {page.toggleColumn && (
          <FieldButton
            icon="column"
            title={isColumn ? 'No longer as a column' : 'Show as a column'}
            label={`${name} as column`}
            isPressed={isColumn}
            onClick={() => page.toggleColumn?.(key)}
          />
        )}
        <FieldButton
          icon="copy"
          title="Copy this value"
          label={`Copy ${name}`}
          onClick={() => void page.copyToClipboard(value, key)}
        />
      </td>
    </tr>
  );
}

interface FieldButtonProps {
  readonly icon: ComponentProps<typeof Icon>['name'];
  readonly title: string;
  readonly label: string;
  readonly isDisabled?: boolean;
  readonly isPressed?: boolean;
  readonly onClick: () => void;
}

function FieldButton({ icon, title, label, isDisabled, isPressed, onClick }: FieldButtonProps) {
  return (
    <button
      type="button"
      title={title}
      aria-label={label}
      aria-pressed={isPressed}
      disabled={isDisabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

/** Leads to all lines of a trace, whatever they call it. */
function TraceLink({ value, page }: { value: string; page: LineListHost }) {
  const search = toSearchPhrase(value);
  return (
    <a
      href={page.searchAddress?.(search) ?? '#'}
      title="All lines with this"
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        page.searchFor(search);
      }}
    >
      {visibleText(value)}
    </a>
  );
}
