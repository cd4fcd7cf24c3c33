import { visibleText } from '../../text/visible-text.ts';
import { Popover } from './popover.tsx';

export interface FilterMenuProps {
  /** What is chosen from: `dyno`. */
  readonly label: string;
  /** Those that are chosen; none is all. */
  readonly values: readonly string[];
  readonly options: readonly { readonly value: string; readonly label: string }[];
  readonly onChange: (values: readonly string[]) => void;
}

/** Chooses any number of names. */
export function FilterMenu({ label, values, options, onChange }: FilterMenuProps) {
  const unknown = values
    .filter((value) => !options.some((option) => option.value === value))
    .map((value) => ({ value, label: value }));
  const shown = values.length === 0 ? 'all' : values.map(visibleText).join(', ');
  return (
    <Popover
      buttonClass="filter-select filter-menu"
      label={`${label} ${values.length > 2 ? `${values.length} chosen: ${shown}` : shown}`}
      title={values.length > 1 ? shown : undefined}
      button={
        <>
          <span>{label}</span>{' '}
          <b data-set={values.length > 0}>{values.length > 2 ? `${values.length} chosen` : shown}</b>
        </>
      }
    >
      <fieldset class="filter-options">
        <legend class="visually-hidden">{label}</legend>
        {[...unknown, ...options].map((option) => (
          <label key={option.value}>
            <input
              type="checkbox"
              checked={values.includes(option.value)}
              onChange={({ currentTarget }) =>
                onChange(
                  currentTarget.checked
                    ? [...values, option.value]
                    : values.filter((value) => value !== option.value),
                )
              }
            />
            <span>{visibleText(option.label)}</span>
          </label>
        ))}
        {options.length + unknown.length === 0 && <p class="hint">None has been seen yet.</p>}
      </fieldset>
      {values.length > 0 && (
        <button type="button" class="popover-action" onClick={() => onChange([])}>
          Show all
        </button>
      )}
    </Popover>
  );
}
