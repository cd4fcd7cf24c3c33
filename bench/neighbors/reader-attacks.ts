/** What somebody with a reader's key does: searches that are hard, and tails that come and go. */
import { connect } from 'node:net';
import { type Attack, type AttackTarget, httpPort, keepOpen, type RunningAttack } from './attack-tools.ts';

const SEARCHES_AT_ONCE = 200;
const TAILS_AT_ONCE = 200;
const EXPRESSION = `/(l|o|u|d)*x${'(a|b)?'.repeat(20)}y/`;

/** Requests that begin anew as soon as they are answered, each on a connection of its own. @param ends as soon as the answer begins */
function again(
  port: number,
  atOnce: number,
  request: (number: number) => string,
  ends = false,
): RunningAttack {
  return keepOpen(
    atOnce,
    (number) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(request(number)));
      if (ends) return socket.once('data', () => socket.destroy());
      return socket.resume();
    },
    setImmediate,
  );
}

const search = ({ loudApp, key }: AttackTarget, query: string): string =>
  `GET /apps/${loudApp}/logs?${query} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAccept: text/plain\r\nAuthorization: Bearer ${key}\r\n\r\n`;

export const READER_ATTACKS: readonly Attack[] = [
  {
    name: 'searches for an expression that nothing matches',
    unit: 'searches',
    start: async (server) =>
      again(httpPort(server), SEARCHES_AT_ONCE, () =>
        search(server, `q=${encodeURIComponent(EXPRESSION)}&lines=100`),
      ),
  },
  {
    name: 'searches for words that nothing has',
    unit: 'searches',
    start: async (server) =>
      again(httpPort(server), SEARCHES_AT_ONCE, (number) =>
        search(server, `q=${encodeURIComponent(`"word${number}" OR "other${number}" OR -loud`)}&lines=100`),
      ),
  },
  {
    name: 'all of the last 10,000 lines, again and again',
    unit: 'requests',
    start: async (server) => again(httpPort(server), SEARCHES_AT_ONCE, () => search(server, 'lines=10000')),
  },
  {
    name: 'tails that are opened and closed',
    unit: 'tails',
    start: async (server) =>
      again(httpPort(server), TAILS_AT_ONCE, () => search(server, 'tail=true&lines=100'), true),
  },
  {
    name: 'searches that are given up',
    unit: 'searches',
    start: async (server) =>
      again(
        httpPort(server),
        SEARCHES_AT_ONCE,
        (number) => search(server, `q=${encodeURIComponent(`/a${number}(l|o)*x/`)}&tail=true`),
        true,
      ),
  },
  {
    name: 'counts over everything',
    unit: 'requests',
    start: async (server) =>
      again(
        httpPort(server),
        SEARCHES_AT_ONCE,
        () =>
          `GET /apps/${server.loudApp}/log-counts?q=${encodeURIComponent(EXPRESSION)} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer ${server.key}\r\n\r\n`,
      ),
  },
];
