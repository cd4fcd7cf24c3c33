import { type Line, SEVERITIES } from '../stream/line.ts';
import { formatDurationMs } from '../text/format.ts';
import { lineFields } from '../text/line-fields.ts';
import type { MessageField } from '../text/message-fields.ts';
import { messageSpans, PREVIEW_CHARACTERS_MAX, parseMessage } from '../text/parsed-message.ts';
import { toFieldSearch, toSearchPhrase } from '../text/search-terms.ts';
import { visibleText } from '../text/visible-text.ts';
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
            {fields.map(({ key, value, kind }, i) => (
              <tr key={`${i} ${key}`}>
                <th scope="row">{visibleText(key)}</th>
                <td data-kind={kind}>{value === '' ? '""' : visibleText(value)}</td>
                <td class="field-actions">
                  <button
                    type="button"
                    title="Search for this value"
                    aria-label={`Search for ${visibleText(key)}`}
                    disabled={value === ''}
                    onClick={() => page.searchFor(valueSearch(key, value, kind))}
                  >
                    <Icon name="search" />
                  </button>
                  <button
                    type="button"
                    title="Copy this value"
                    aria-label={`Copy ${visibleText(key)}`}
                    onClick={() => void page.copyToClipboard(value, key)}
                  >
                    <Icon name="copy" />
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <dl class="metadata">
        <DetailRow name="time" value={`${line.timestamp} (${formatDurationMs(Date.now() - line.ms)} ago)`} />
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

/** With the name of the field; of an object or a list by its text. */
function valueSearch(key: string, value: string, kind: MessageField['kind']): string {
  const [line] = value.split('\n', 1);
  return kind === 'list' || line !== value ? toSearchPhrase(line) : toFieldSearch(key, line);
}

function DetailRow({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{visibleText(value)}</dd>
    </div>
  );
}
