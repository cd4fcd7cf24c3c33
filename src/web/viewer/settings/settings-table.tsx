import type { ComponentChildren } from 'preact';

interface CardProps {
  readonly label: string;
  /** What its head shows; without it there is none. */
  readonly head?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** A part of a page, on a ground of its own. */
export function Card({ label, head, children }: CardProps) {
  return (
    <section class="card" aria-label={label}>
      {head && <header>{head}</header>}
      {children}
    </section>
  );
}

interface SettingsTableProps {
  /** The columns' names. Behind them is one of buttons. */
  readonly columns: readonly string[];
  /** Which of them are of numbers. */
  readonly numbers?: readonly string[];
  /** Its bodies. */
  readonly children: ComponentChildren;
}

/** A table of a card. */
export function SettingsTable({ columns, numbers = [], children }: SettingsTableProps) {
  return (
    <table class="settings-table">
      <thead>
        <tr>
          {columns.map((name) => (
            <th key={name} scope="col" class={numbers.includes(name) ? 'number' : undefined}>
              {name}
            </th>
          ))}
          <th scope="col">
            <span class="visually-hidden">actions</span>
          </th>
        </tr>
      </thead>
      {children}
    </table>
  );
}

/** The last cell of a row: what can be done with what is in it. */
export function RowActions({ children }: { children: ComponentChildren }) {
  return (
    <td>
      <div class="row-actions">{children}</div>
    </td>
  );
}
