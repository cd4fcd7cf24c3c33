/**
 * Fills an app's stream over syslog TCP, and writes the same lines into a file beside it: about 140 bytes each, of a web server, a router in
 * logfmt, an app in JSON and plain sentences in turns; one of them, in the middle, is what searches look for.
 */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { connect } from 'node:net';

/** Sent by the parent. */
export interface HistoryLinesJob {
  readonly port: number;
  readonly token: string;
  readonly lines: number;
  /** The file. */
  readonly path: string;
}

/** The result. */
export interface HistoryLinesResult {
  readonly bytes: number;
}

const LINES_A_CHUNK = 2_000;
const TIME = '2026-01-01T00:00:00.000000+00:00';
/** The one line: its words, dyno, field and status stand nowhere else. */
const NEEDLE = {
  dyno: 'rarity.9',
  message: 'at=info method=POST path="/rare" haystack=needle42 status=503 took=77ms',
};

process.on('message', (job: HistoryLinesJob) => {
  run(job).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failure: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ ready: true });

async function run({ port, token, lines, path }: HistoryLinesJob): Promise<HistoryLinesResult> {
  const socket = connect(port, '127.0.0.1');
  const file = createWriteStream(path);
  await once(socket, 'connect');
  let bytes = 0;
  for (let first = 0; first < lines; first += LINES_A_CHUNK) {
    const head: string[] = [];
    const plain: string[] = [];
    for (let i = first; i < Math.min(lines, first + LINES_A_CHUNK); i++) {
      const { dyno, message } =
        i === lines >> 1 ? NEEDLE : { dyno: `web.${1 + (i % 8)}`, message: messageOf(i) };
      head.push(`<190>1 ${TIME} host ${token} ${dyno} - - ${message}\n`);
      plain.push(`<190>1 ${TIME} host app ${dyno} - - ${message}\n`);
    }
    const text = plain.join('');
    bytes += text.length;
    const flows = [socket.write(head.join(''), 'latin1'), file.write(text, 'latin1')];
    if (!flows[0]) await once(socket, 'drain');
    if (!flows[1]) await once(file, 'drain');
  }
  socket.end();
  file.end();
  await Promise.all([once(socket, 'close'), once(file, 'close')]);
  return { bytes };
}

function messageOf(i: number): string {
  const id = (i * 2_654_435_761) % 4_294_967_296;
  const status = [200, 200, 201, 304, 404][i % 5];
  switch (i & 3) {
    case 0:
      return `GET /orders/${i} took ${i % 97} ms and was answered with ${status} for customer ${id}`;
    case 1:
      return `at=info method=GET path="/users/${i}" request_id=${id} status=${status} service=${i % 97}ms bytes=${i % 9_999}`;
    case 2:
      return `{"level":"info","msg":"order paid","order":${i},"customer":${id},"status":${status},"took":${i % 97}}`;
    default:
      return `worker has done job ${i} of queue mails in ${i % 97} ms, ${id % 1_000} are left for later`;
  }
}
