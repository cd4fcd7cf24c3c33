import { useEffect, useRef, useState } from 'preact/hooks';
import { formatCount } from '../../common/text/format-numbers.ts';
import type { LogView } from '../stream/log-view.ts';

/** So often at the most something is said, in milliseconds: whoever listens to it has other things to hear. */
const ANNOUNCE_MS = 8_000;
const LOOK_MS = 500;

/** Says what comes, for those who don't see it, when the screen reader has nothing else to say: not each line, but how many. */
export function Announcer({ logView }: { logView: LogView }) {
  const [text, setText] = useState('');
  const said = useRef({ lines: 0, errors: 0, atMs: Number.NEGATIVE_INFINITY });
  useEffect(() => {
    const timer = setInterval(() => {
      const { lines, errors } = logView.received;
      const before = said.current;
      if (lines === before.lines || performance.now() - before.atMs < ANNOUNCE_MS) return;
      setText(announcement(lines - before.lines, errors - before.errors));
      said.current = { lines, errors, atMs: performance.now() };
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, [logView]);
  return (
    <p role="status" class="visually-hidden announcer">
      {text}
    </p>
  );
}

/** `25 lines came, 2 errors` */
function announcement(lines: number, errors: number): string {
  return `${formatCount(lines, 'line')} came${errors > 0 ? `, ${formatCount(errors, 'error')}` : ''}`;
}
