import { formatNumber } from '../../../common/text/format-numbers.ts';
import { visibleText } from '../../text/visible-text.ts';
import { Icon } from '../../view/icon.tsx';
import type { ValuesJson } from '../api/viewer-json.ts';
import type { ViewerPage } from '../viewer-page.ts';
import { PartialNote } from './partial-counts.tsx';
import { valueTerm } from './query-terms.ts';

/** Beside the lines: saved searches, and the fields of what is looked at with their values. */
export function FieldsPanel({ page }: { page: ViewerPage }) {
  return (
    <aside class="panel fields-panel" aria-label="Searches and fields">
      <SavedSearches page={page} />
      <header>
        <h2>Fields</h2>
      </header>
      <ul>
        {page.fields.names.value.map((name) => (
          <Field key={name} name={name} page={page} />
        ))}
      </ul>
    </aside>
  );
}

function SavedSearches({ page }: { page: ViewerPage }) {
  const searches = page.savedSearches.value;
  const { q, group } = page.selection;
  return (
    <>
      <header>
        <h2>Saved searches</h2>
        <button
          type="button"
          class="link-button"
          onClick={() => {
            page.overlay.value = 'save';
          }}
        >
          save this one
        </button>
      </header>
      {searches.length === 0 ? (
        <p class="empty">None yet: search for something, and save it.</p>
      ) : (
        <ul>
          {searches.map((one) => (
            <li key={one.id} class="saved-search" data-current={one.q === q && (one.group ?? '') === group}>
              <button
                type="button"
                class="saved-search-name"
                title={visibleText(one.q)}
                onClick={() => void page.openSavedSearch(one)}
              >
                <b>{visibleText(one.name)}</b>
                <code>{visibleText(one.q)}</code>
              </button>
              <button
                type="button"
                class="icon-button"
                title="Delete this search"
                aria-label={`Delete the search ${visibleText(one.name)}`}
                onClick={() =>
                  void page
                    .attempt(() => page.client.change('DELETE', `api/searches/${encodeURIComponent(one.id)}`))
                    .then(() => page.loadSavedSearches())
                }
              >
                <Icon name="trash" />
              </button>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Field({ name, page }: { name: string; page: ViewerPage }) {
  const facets = page.fields.facets.value;
  const isOpen = facets.has(name);
  const values = facets.get(name);
  const isColumn = page.columns.value.includes(name);
  const shown = visibleText(name);
  return (
    <li class="field">
      <div class="field-head">
        <button
          type="button"
          class="field-name"
          aria-expanded={isOpen}
          onClick={() => page.fields.toggleFacet(name)}
        >
          <Icon name="expand" />
          {shown}
        </button>
        <button
          type="button"
          class="icon-button"
          title={`Group by ${shown}`}
          aria-label={`Group by ${shown}`}
          onClick={() => void page.groupBy(name)}
        >
          <Icon name="bars" />
        </button>
        <button
          type="button"
          class="icon-button"
          title={isColumn ? 'Take the column away' : 'Show as a column'}
          aria-label={`Column ${shown}`}
          aria-pressed={isColumn}
          onClick={() => page.toggleColumn(name)}
        >
          <Icon name="column" />
        </button>
      </div>
      {isOpen && values === undefined && <p class="empty">counting …</p>}
      {isOpen && values && 'failed' in values && <p class="empty">{visibleText(values.failed)}</p>}
      {isOpen && values && 'values' in values && <FacetValues name={name} values={values} page={page} />}
    </li>
  );
}

function FacetValues({ name, values, page }: { name: string; values: ValuesJson; page: ViewerPage }) {
  const most = Math.max(1, ...values.values.map(({ count }) => count));
  if (values.values.length === 0)
    return <p class="empty">{values.partial ? <PartialNote /> : 'No line has it.'}</p>;
  return (
    <ul class="facet-values">
      {values.values.map(({ value, count }) => (
        <li key={value}>
          <button
            type="button"
            class="facet-value"
            title="Only lines with it"
            onClick={() => void page.narrow(valueTerm(name, value))}
          >
            <i class="share" style={{ width: `${(count / most) * 100}%` }} />
            <span>{value === '' ? '""' : visibleText(value)}</span>
            <b>{formatNumber(count)}</b>
          </button>
          <button
            type="button"
            class="icon-button"
            title="Without these lines"
            aria-label={`Without ${visibleText(value)}`}
            onClick={() => void page.narrow(valueTerm(name, value), true)}
          >
            <Icon name="minus" />
          </button>
        </li>
      ))}
      {values.other > 0 && <li class="rest">{formatNumber(values.other)} with other values</li>}
      {values.missing > 0 && <li class="rest">{formatNumber(values.missing)} without it</li>}
      {values.partial && (
        <li class="rest">
          <PartialNote isShort />
        </li>
      )}
    </ul>
  );
}
