/** Items with a number each: the one with the largest comes out first. */
export class MaxHeap<T extends { readonly bound: number }> {
  private readonly items: T[] = [];

  /** The largest number; -Infinity when it is empty. */
  get top(): number {
    return this.items[0]?.bound ?? Number.NEGATIVE_INFINITY;
  }

  /** The item with the largest number, which stays; undefined when there is none. */
  peek(): T | undefined {
    return this.items[0];
  }

  push(item: T): void {
    const { items } = this;
    let i = items.push(item) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (items[parent].bound >= item.bound) break;
      items[i] = items[parent];
      i = parent;
    }
    items[i] = item;
  }

  /** Takes the item with the largest number; undefined when there is none. */
  pop(): T | undefined {
    const { items } = this;
    const top = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = i * 2 + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1].bound > items[child].bound) child++;
      if (items[child].bound <= last.bound) break;
      items[i] = items[child];
      i = child;
    }
    items[i] = last;
    return top;
  }
}
