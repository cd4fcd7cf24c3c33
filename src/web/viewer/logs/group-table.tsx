import { formatCount, formatNumber } from '../../../common/text/format-numbers.ts';
import { visibleText } from '../../text/visible-text.ts';
import { Icon } from '../../view/icon.tsx';
import type { ValuesJson } from '../api/viewer-json.ts';
import type { ViewerPage } from '../viewer-page.ts';
import { PartialNote } from './partial-counts.tsx';
import { valueTerm } from './query-terms.ts';

/** How often a field has each of its values, in what is looked at. */
export function GroupTable({ page, field }: { page: ViewerPage; field: string }) {
  const groups = page.fields.groups.value;
  return (
    <div class="group-table">
      <header>
        <h2>
          Lines by{' '}
          <select
            aria-label="Field to group by"
            value={field}
            onChange={(event) => void page.groupBy(event.currentTarget.value)}
          >
            {[...new Set([field, ...page.fields.names.value])].map((name) => (
              <option key={name} value={name}>
                {visibleText(name)}
              </option>
            ))}
          </select>
        </h2>
        <button type="button" class="plain-button" onClick={() => void page.groupBy('')}>
          <Icon name="close" /> Back to the lines
        </button>
      </header>
      {groups === undefined && <p class="hint">counting …</p>}
      {groups && 'failed' in groups && <p class="error-text">{visibleText(groups.failed)}</p>}
      {groups && 'values' in groups && <GroupRows page={page} field={field} groups={groups} />}
    </div>
  );
}

interface GroupRowsProps {
  readonly page: ViewerPage;
  readonly field: string;
  readonly groups: ValuesJson;
}

function GroupRows({ page, field, groups }: GroupRowsProps) {
  const { values, other, missing, partial } = groups;
  const total = values.reduce((sum, { count }) => sum + count, other + missing);
  const most = Math.max(1, ...values.map(({ count }) => count));
  if (total === 0) return <p class="hint">{partial ? <PartialNote /> : 'No line matches.'}</p>;
  const show = (term: string): void => {
    void page.groupBy('').then(() => page.narrow(term));
  };
  return (
    <table>
      <caption class="hint">
        {formatCount(total, 'line')}
        {partial && (
          <>
            , <PartialNote />
          </>
        )}
      </caption>
      <thead>
        <tr>
          <th scope="col">{visibleText(field)}</th>
          <th scope="col">lines</th>
          <th scope="col">share</th>
        </tr>
      </thead>
      <tbody>
        {values.map(({ value, count }) => (
          <tr key={value}>
            <th scope="row">
              <button type="button" title="Show these lines" onClick={() => show(valueTerm(field, value))}>
                {value === '' ? '""' : visibleText(value)}
              </button>
            </th>
            <td>{formatNumber(count)}</td>
            <td class="share-cell">
              <i class="share" style={{ width: `${(count / most) * 100}%` }} />
              <span>{percent(count / total)}</span>
            </td>
          </tr>
        ))}
        {other > 0 && <RestRow label="other values" count={other} total={total} />}
        {missing > 0 && <RestRow label="without it" count={missing} total={total} />}
      </tbody>
    </table>
  );
}

function RestRow({ label, count, total }: { label: string; count: number; total: number }) {
  return (
    <tr class="rest">
      <th scope="row">{label}</th>
      <td>{formatNumber(count)}</td>
      <td class="share-cell">
        <span>{percent(count / total)}</span>
      </td>
    </tr>
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
