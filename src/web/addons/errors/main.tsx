import '../shared/styles.ts';
import './errors.css';
import './event.css';
import { render } from 'preact';
import { listenToKeys } from '../shared/keyboard.ts';
import { ErrorsPage } from './errors-page.tsx';
import { ErrorsState } from './errors-state.ts';

const errors = new ErrorsState();
listenToKeys(
  {
    j: () => errors.move(1),
    k: () => errors.move(-1),
    ArrowDown: () => errors.move(1),
    ArrowUp: () => errors.move(-1),
    n: () => void errors.showNeighbor('next'),
    p: () => void errors.showNeighbor('previous'),
    f: () => {
      errors.showsAllFrames.value = !errors.showsAllFrames.value;
    },
    r: () => void errors.toggleStatus('resolved'),
    i: () => void errors.toggleStatus('ignored'),
    d: () => errors.askToDelete(),
    s: () => errors.changeFilter({ sort: errors.filter.value.sort === 'count' ? 'last_seen' : 'count' }),
    Escape: () => {
      if (errors.selectedId.value) errors.close();
      else errors.changeFilter({ query: '' });
    },
    '?': () => {
      errors.overlay.value = 'help';
    },
  },
  () => errors.overlay.value !== '',
);
render(<ErrorsPage errors={errors} />, document.getElementById('page') ?? document.body);
