import { visibleText } from '../../text/visible-text.ts';
import type { JsonMap, JsonValue } from './errors-json.ts';

/** Names and values; what is nested is shown as JSON. */
export function JsonTable({ values, label }: { values: JsonMap; label: string }) {
  return (
    <PairTable pairs={Object.entries(values).map(([name, value]) => [name, textOf(value)])} label={label} />
  );
}

/** Nothing at all without pairs; hidden characters are shown. */
export function PairTable({
  pairs,
  label,
}: {
  pairs: readonly (readonly [string, string])[];
  label: string;
}) {
  if (pairs.length === 0) return null;
  return (
    <table class="values" aria-label={label}>
      <tbody>
        {pairs.map(([name, value], i) => (
          <tr key={i}>
            <th scope="row">{visibleText(name)}</th>
            <td>{visibleText(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function textOf(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 1).replace(/\n */g, ' ');
}
