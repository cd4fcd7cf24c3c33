import '../shared/styles.ts';
import './mail.css';
import { render } from 'preact';
import { listenToKeys } from '../shared/keyboard.ts';
import { Inbox } from './inbox.tsx';
import { InboxState } from './inbox-state.ts';

const inbox = new InboxState();
listenToKeys(
  {
    j: () => inbox.move(1),
    k: () => inbox.move(-1),
    ArrowDown: () => inbox.move(1),
    ArrowUp: () => inbox.move(-1),
    h: () => inbox.showTab('html'),
    t: () => inbox.showTab('text'),
    l: () => inbox.showTab('links'),
    s: () => inbox.showTab('source'),
    u: () => void inbox.markUnread(),
    d: () => void inbox.delete(),
    Delete: () => void inbox.delete(),
    Escape: () => {
      if (inbox.selectedId.value) inbox.close();
      else if (inbox.query.value) void inbox.search('');
    },
    '?': () => {
      inbox.overlay.value = 'help';
    },
  },
  () => inbox.overlay.value !== '',
);
render(<Inbox inbox={inbox} />, document.getElementById('page') ?? document.body);
