import { visibleText } from '../text/visible-text.ts';

/** A row of a list of details (`dl`): what it is, and its value as text, in which nothing is hidden. */
export function DetailRow({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{visibleText(value)}</dd>
    </div>
  );
}
