/** What is in the viewer's address: the page, the lines that are looked at, the line. So that all of it can be linked and gone back to. */
import { parseTime } from '../../common/time-expression.ts';
import { ALL_LINES, type ViewerSelection } from './lines/line-selection.ts';
import { parseLineKey } from './lines/viewer-line.ts';

const VIEWER_SECTIONS = ['logs', 'alerts', 'archives', 'streams', 'people'] as const;
export type ViewerSection = (typeof VIEWER_SECTIONS)[number];

export interface ViewerAddress {
  readonly section: ViewerSection;
  readonly selection: ViewerSelection;
  /** The key of the selected line, or ''. */
  readonly line: string;
  /** The field that lines are grouped by, or ''. */
  readonly by: string;
}

export const START_ADDRESS: ViewerAddress = { section: 'logs', selection: ALL_LINES, line: '', by: '' };

/** Reads the query part of an address. */
export function parseViewerAddress(query: string): ViewerAddress {
  const values = new URLSearchParams(query);
  const text = (name: string): string => values.get(name) ?? '';
  // What can't be read would be shown as if it were looked at.
  const time = (name: string): string => (parseTime(text(name), Date.now()) === undefined ? '' : text(name));
  const line = text('line');
  return {
    section: VIEWER_SECTIONS.find((section) => section === text('page')) ?? 'logs',
    selection: {
      group: text('group'),
      stream: text('stream'),
      q: text('q'),
      from: time('from'),
      to: time('to'),
    },
    line: parseLineKey(line) ? line : '',
    by: text('by'),
  };
}

/** The query part of an address; what isn't set is left out. `?` when nothing is. */
export function formatViewerAddress({ section, selection, line, by }: ViewerAddress): string {
  const values = new URLSearchParams();
  if (section !== 'logs') values.set('page', section);
  for (const [name, value] of Object.entries({ ...selection, by, line })) if (value) values.set(name, value);
  return `?${values}`;
}

/** What a link that was given out begins with in the fragment, which no server's log sees: `#invite=TOKEN`. */
export interface Admission {
  readonly kind: 'first-run' | 'invite';
  readonly token: string;
}

/** The token of a link, from an address's fragment. */
export function parseAdmission(fragment: string): Admission | undefined {
  const values = new URLSearchParams(fragment.replace(/^#/, ''));
  for (const kind of ['first-run', 'invite'] as const) {
    const token = values.get(kind);
    if (token) return { kind, token };
  }
  return undefined;
}
