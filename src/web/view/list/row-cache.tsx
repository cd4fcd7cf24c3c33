import type { VNode } from 'preact';
import { Row, type RowProps } from './row.tsx';

/** Rows that look as they did are given to Preact as the same objects, which it then doesn't look at again. */
export class RowCache {
  private made = new Map<number, { props: RowProps; row: VNode }>();

  rows(wanted: readonly RowProps[]): VNode[] {
    const made: typeof this.made = new Map();
    for (const props of wanted) {
      const { at } = props.line;
      const old = this.made.get(at);
      made.set(at, old && isSame(old.props, props) ? old : { props, row: <Row key={at} {...props} /> });
    }
    this.made = made;
    return [...made.values()].map(({ row }) => row);
  }
}

function isSame(a: RowProps, b: RowProps): boolean {
  return (
    a.line === b.line &&
    a.terms === b.terms &&
    a.isNewDay === b.isNewDay &&
    a.isSelected === b.isSelected &&
    a.isOpen === b.isOpen &&
    a.wrap === b.wrap
  );
}
