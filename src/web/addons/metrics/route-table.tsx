import { useState } from 'preact/hooks';
import { formatNumber } from '../../../common/text/format-numbers.ts';
import { visibleText } from '../../text/visible-text.ts';
import { formatValue, type RouteReport } from './report.ts';

type Column = 'share' | 'count' | 'p50' | 'p95' | 'p99' | 'errors';

const COLUMNS: readonly { readonly name: Column; readonly label: string; readonly title: string }[] = [
  { name: 'share', label: 'Time', title: 'Part of the time that all requests took' },
  { name: 'count', label: 'Requests', title: 'Requests' },
  { name: 'p50', label: 'p50', title: 'Median, ms' },
  { name: 'p95', label: 'p95', title: '95 of 100 were faster, ms' },
  { name: 'p99', label: 'p99', title: '99 of 100 were faster, ms' },
  { name: 'errors', label: '5xx', title: 'Answered with 5xx' },
];

/** Routes, those first that took most of the time; a click on a heading sorts by it. */
export function RouteTable({ routes }: { routes: readonly RouteReport[] }) {
  const [column, sortBy] = useState<Column>('share');
  const sorted = [...routes].sort((a, b) => (b[column] ?? -1) - (a[column] ?? -1));
  return (
    <table class="routes">
      <thead>
        <tr>
          <th scope="col">Route</th>
          {COLUMNS.map(({ name, label, title }) => (
            <th key={name} scope="col" aria-sort={name === column ? 'descending' : 'none'}>
              <button type="button" title={title} onClick={() => sortBy(name)}>
                {label}
              </button>
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {sorted.map(({ route, count, errors, p50, p95, p99, share }) => (
          <tr key={route}>
            <th scope="row">{visibleText(route)}</th>
            <td>{(share * 100).toFixed(1)} %</td>
            <td>{formatNumber(count)}</td>
            <td>{formatValue(p50)}</td>
            <td>{formatValue(p95)}</td>
            <td>{formatValue(p99)}</td>
            <td data-bad={errors > 0}>{formatNumber(errors)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
