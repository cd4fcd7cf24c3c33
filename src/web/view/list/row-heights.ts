/** How high every row of the list is, and so where it is: sums over blocks of rows, which are cheap to keep up to date. */

const BLOCK_ROWS = 256;

export class RowHeights {
  private rows: number[] = [];
  private blockSums: number[] = [];
  /** Blocks from this one on have to be summed again. */
  private dirtyFrom = 0;

  get count(): number {
    return this.rows.length;
  }

  /** The height of all rows. */
  get total(): number {
    return this.offsetOf(this.rows.length);
  }

  /** CSS pixels. @param index from 0, of the rows that there are */
  heightOf(index: number): number {
    return this.rows[index];
  }

  append(heights: readonly number[]): void {
    this.markDirty(this.rows.length);
    for (const height of heights) this.rows.push(height);
  }

  /** Adds rows before the first: all others move. */
  prepend(heights: readonly number[]): void {
    this.markDirty(0);
    this.rows = [...heights, ...this.rows];
  }

  dropFirst(count: number): void {
    this.markDirty(0);
    this.rows = this.rows.slice(count);
  }

  dropLast(count: number): void {
    this.rows.length = Math.max(0, this.rows.length - count);
    this.markDirty(this.rows.length);
  }

  set(index: number, height: number): void {
    if (this.rows[index] === height) return;
    this.rows[index] = height;
    this.markDirty(index);
  }

  /** Where a row begins. */
  offsetOf(index: number): number {
    this.updateBlockSums();
    const block = Math.floor(index / BLOCK_ROWS);
    let offset = 0;
    for (let i = 0; i < block; i++) offset += this.blockSums[i];
    for (let i = block * BLOCK_ROWS; i < index; i++) offset += this.rows[i];
    return offset;
  }

  /** The row at a height; the last one below everything. */
  indexAt(y: number): number {
    this.updateBlockSums();
    let offset = 0;
    let block = 0;
    while (block < this.blockSums.length - 1 && offset + this.blockSums[block] <= y)
      offset += this.blockSums[block++];
    let index = block * BLOCK_ROWS;
    while (index < this.rows.length - 1 && offset + this.rows[index] <= y) offset += this.rows[index++];
    return Math.max(0, index);
  }

  private markDirty(index: number): void {
    this.dirtyFrom = Math.min(this.dirtyFrom, Math.floor(index / BLOCK_ROWS));
  }

  private updateBlockSums(): void {
    const blocks = Math.ceil(this.rows.length / BLOCK_ROWS);
    this.blockSums.length = blocks;
    for (let block = this.dirtyFrom; block < blocks; block++) {
      const end = Math.min(this.rows.length, (block + 1) * BLOCK_ROWS);
      let sum = 0;
      for (let i = block * BLOCK_ROWS; i < end; i++) sum += this.rows[i];
      this.blockSums[block] = sum;
    }
    this.dirtyFrom = blocks;
  }
}
