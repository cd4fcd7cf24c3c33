/** How high rows are, and how many characters fit into one: measured in the browser, once per size and font. */
import type { RowMetrics } from './row-layout.ts';

const SAMPLE = 'm'.repeat(50);

/** @param columnCount how many fields stand before the text */
export function measureRows(list: HTMLElement, wrap: boolean, columnCount = 0): RowMetrics {
  const row = document.createElement('div');
  row.className = 'row level-info sample';
  const line = document.createElement('div');
  line.className = 'line';
  const [time, origin, text] = ['time', 'button', 'span'].map((name) => document.createElement(name));
  const expandButton = document.createElement('button');
  expandButton.className = 'expand-button';
  time.textContent = '00:00:00.000';
  origin.className = 'origin';
  origin.textContent = 'web.1';
  text.className = 'text';
  const sample = document.createElement('span');
  sample.textContent = SAMPLE;
  text.append('m');
  const cells = Array.from({ length: columnCount }, () => {
    const cell = document.createElement('span');
    cell.className = 'column-cell';
    return cell;
  });
  line.append(expandButton, time, origin, ...cells, text);
  row.append(line);
  list.append(row);
  const height = row.getBoundingClientRect().height;
  const width = text.getBoundingClientRect().width;
  const lineHeight = Number.parseFloat(getComputedStyle(text).lineHeight) || 20;
  text.replaceChildren(sample);
  sample.className = 'ruler';
  const character = sample.getBoundingClientRect().width / SAMPLE.length || 8;
  row.remove();
  return {
    rowHeight: height,
    lineHeight,
    columns: wrap ? Math.max(10, Math.floor(width / character)) : 0,
  };
}
