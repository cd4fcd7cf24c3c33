import type { PageState } from '../page-state.ts';
import { Modal } from './modal.tsx';

const SHORTCUTS: readonly (readonly [string, string])[] = [
  ['/', 'search all lines'],
  ['space', 'pause, and follow again'],
  ['j  k', 'next line, line before'],
  ['enter', 'expand the line: its fields, its whole message'],
  ['e  E', 'next error, error before'],
  ['x', 'everything around the line, without filters'],
  ['c', 'copy a link to the line'],
  ['y', 'copy the line as text, a stack trace as a whole'],
  ['g', 'the oldest lines that are here; again for older ones'],
  ['G', 'the newest line, and follow'],
  ['t', 'jump to a time'],
  ['u', 'times in UTC, or in local time'],
  ['w', 'wrap long lines, or cut them off'],
  ['D', 'download what is looked at'],
  ['d', 'dynos and drains'],
  ['esc', 'close, or clear the filters'],
  ['?', 'this'],
];

/** Keys, those of one action apart by two spaces, and what they do. */
export function KeyList({ keys }: { keys: readonly (readonly [string, string])[] }) {
  return (
    <dl class="shortcuts">
      {keys.map(([names, meaning]) => (
        <div key={names}>
          <dt>
            {names.split('  ').map((name) => (
              <kbd key={name}>{name}</kbd>
            ))}
          </dt>
          <dd>{meaning}</dd>
        </div>
      ))}
    </dl>
  );
}

/** All keyboard shortcuts. */
export function ShortcutsHelp({ page }: { page: PageState }) {
  return (
    <Modal
      title="Keys"
      onClose={() => {
        page.overlay.value = '';
      }}
    >
      <KeyList keys={SHORTCUTS} />
      <p class="hint">
        A search is <code>words</code> that all have to be there, <code>"a phrase"</code>,{' '}
        <code>-without</code>, <code>this OR that</code>, <code>program:web.1</code>,{' '}
        <code>severity:error</code>, <code>status:&gt;=500</code>, any field as <code>user.id:7</code>,{' '}
        <code>since:1h</code>, <code>/pattern/</code>. It looks through the whole stream, and through what
        comes.
      </p>
    </Modal>
  );
}
