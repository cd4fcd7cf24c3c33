/** What a destination does that somebody has a loud app drained to: its answers are small, and hard to read. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Attack, AttackTarget, RunningAttack } from './attack-tools.ts';

const DRAINS = 10;
/** As much as is read of an answer. */
const UNPACKED_BYTES = 7_900_000;

/** An answer of a bulk API that takes all lines, and has that beside it. */
function bomb(): Buffer {
  const brackets = '['.repeat(UNPACKED_BYTES / 2) + ']'.repeat(UNPACKED_BYTES / 2);
  return gzipSync(`{"errors":false,"items":${brackets}}`);
}

async function packedAnswers({ loudApp, request }: AttackTarget): Promise<RunningAttack> {
  const answer = bomb();
  let count = 0;
  const receiver = createServer((incoming, response) => {
    incoming.resume().on('end', () => {
      count++;
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': answer.length }).end(answer);
    });
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const { port } = receiver.address() as AddressInfo;
  const drains: string[] = [];
  for (let i = 0; i < DRAINS; i++) {
    const { id } = await request<{ id: string }>('POST', `/apps/${loudApp}/log-drains`, {
      url: `http://127.0.0.1:${port}/${i}/_bulk`,
      options: { format: 'elasticsearch' },
    });
    drains.push(id);
  }
  return {
    count: () => count,
    stop: async () => {
      for (const id of drains) await request('DELETE', `/apps/${loudApp}/log-drains/${id}`);
      receiver.closeAllConnections();
      receiver.close();
    },
  };
}

export const RECEIVER_ATTACKS: readonly Attack[] = [
  { name: 'answers to drains that are large when they are unpacked', unit: 'answers', start: packedAnswers },
];
