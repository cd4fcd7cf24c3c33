import { isFiltered } from '../address.ts';
import type { Page } from '../page.ts';
import { type Line, SEVERITIES } from '../stream/line.ts';
import { drawMessage, readMessage, SHOWN_MAX } from '../stream/message.ts';
import { asPhrase } from '../text/search.ts';
import { duration } from '../text/words.ts';
import { Icon } from './icon.tsx';
import { Text } from './list/text.tsx';

/** A line folded out: its fields, what else is known of it, and what can be done with it. */
export function Details({ line, page }: { line: Line; page: Page }) {
  const { text, fields } = readMessage(line);
  const isCut = text.length > SHOWN_MAX || !page.preferences.wrap.value;
  return (
    <div class="details">
      {isCut && (
        <pre class="whole">
          <Text pieces={drawMessage(line, [], 1_000_000)} />
        </pre>
      )}
      {fields.length > 0 && (
        <table class="fields">
          <tbody>
            {fields.map(({ key, value, kind }, i) => (
              <tr key={`${i} ${key}`}>
                <th scope="row">{key}</th>
                <td data-kind={kind}>{value === '' ? '""' : value}</td>
                <td class="do">
                  <button
                    type="button"
                    title="Search for this value"
                    aria-label={`Search for ${key}`}
                    disabled={value === ''}
                    onClick={() => void page.filter({ q: asPhrase(value.split('\n')[0]) })}
                  >
                    <Icon name="search" />
                  </button>
                  <button
                    type="button"
                    title="Copy this value"
                    aria-label={`Copy ${key}`}
                    onClick={() => void page.copy(value, key)}
                  >
                    <Icon name="copy" />
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <dl class="facts">
        <Fact name="time" value={`${line.timestamp} (${duration(Date.now() - line.ms)} ago)`} />
        <Fact name="from" value={`${line.source}[${line.dyno}]`} />
        <Fact name="host" value={line.hostname} />
        <Fact
          name="level"
          value={`${line.level} (severity ${line.severity}, ${SEVERITIES[line.severity] ?? '?'})`}
        />
        {line.msgid && <Fact name="msgid" value={line.msgid} />}
        {line.structured_data && <Fact name="structured data" value={line.structured_data} />}
        <Fact name="position" value={line.position} />
      </dl>
      <div class="deeds">
        {isFiltered(page.place.value.filters) && (
          <button type="button" onClick={() => void page.showInContext(line)}>
            <Icon name="context" /> View in context <kbd>x</kbd>
          </button>
        )}
        <button type="button" onClick={() => void page.copy(page.linkTo(line), 'Link')}>
          <Icon name="link" /> Copy link <kbd>c</kbd>
        </button>
        <button type="button" onClick={() => void page.copy(line.message, 'Message')}>
          <Icon name="copy" /> Copy message
        </button>
        <button type="button" onClick={() => void page.filter({ dyno: line.dyno, source: line.source })}>
          Only {line.source}[{line.dyno}]
        </button>
      </div>
    </div>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
