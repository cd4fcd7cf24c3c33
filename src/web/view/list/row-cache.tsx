import type { VNode } from 'preact';
import { Row, type RowProps } from './row.tsx';

/** Rows that look as they did are given to Preact as the same objects, which it then doesn't look at again. */
export class RowCache {
  private cached = new Map<number, { props: RowProps; row: VNode }>();

  /** In the order that is wanted; rows that aren't are forgotten. */
  rows(wanted: readonly RowProps[]): VNode[] {
    const next: typeof this.cached = new Map();
    for (const props of wanted) {
      const { at } = props.line;
      const old = this.cached.get(at);
      next.set(at, old && isSame(old.props, props) ? old : { props, row: <Row key={at} {...props} /> });
    }
    this.cached = next;
    return [...next.values()].map(({ row }) => row);
  }
}

function isSame(a: RowProps, b: RowProps): boolean {
  return (
    a.line === b.line &&
    a.terms === b.terms &&
    a.isNewDay === b.isNewDay &&
    a.isSelected === b.isSelected &&
    a.isExpanded === b.isExpanded &&
    a.isUnfolded === b.isUnfolded &&
    a.wrap === b.wrap &&
    a.zone === b.zone &&
    a.columns === b.columns
  );
}
