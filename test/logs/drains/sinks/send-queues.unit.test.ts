import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { SendQueues } from '../../../../src/logs/drains/sinks/send-queues.ts';

const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:D431 0100007F:1F90 01 0000ABCD:00000000 01:00000019 00000000     0        0 2 1 0 20 4 30 10 -1
   2: 0200007F:D431 0100007F:1F90 01 00000001:00000000 01:00000019 00000000     0        0 3 1 0 20 4 30 10 -1
 103: 0100007F:1F90 0100007F:D431 01 00000000:0000ABCD 00:00000000 00000000     0        0 4 1 0 20 4 30 10 -1
 104: 0100007F:D432 0100007F:1F90 08 00000010:00000001 00:00000000 00000000     0        0 5 1 0 20 4 30 10 -1
`;

function connection(localPort: number | undefined, remotePort = 0x1f90, localFamily = 'IPv4'): Socket {
  return { localPort, remotePort, localFamily } as Socket;
}

describe('what a connection has to send', () => {
  it('is what the system says, of several with the same ports the most; nothing of one that isn’t open', async () => {
    const reads: string[] = [];
    const queues = new SendQueues(async function* (table) {
      reads.push(table);
      if (table === 'tcp') yield TCP;
    });
    const asked = [
      connection(0xd431),
      connection(0x1f90, 0xd431),
      connection(0xd432),
      connection(0xd433),
      connection(undefined),
      connection(0xd431, 0x1f90, 'IPv6'),
    ];
    expect(await Promise.all(asked.map((one) => queues.queuedBytes(one, () => reads.push('asked'))))).toEqual(
      [0xabcd, 0, undefined, undefined, undefined, undefined],
    );
    // Together.
    expect(reads).toEqual([...Array(4).fill('asked'), 'tcp', 'asked', 'tcp6']);
  });

  it('is read to the end of the table, wherever its reads end', async () => {
    const asked = [connection(0xd431), connection(0x1f90, 0xd431)];
    for (let at = 0; at <= TCP.length; at++) {
      const queues = new SendQueues(async function* () {
        // As long as one that isn't the last.
        yield ' '.repeat(4_000);
        yield `\n${TCP.slice(0, at)}`.padStart(4_000, '\n');
        yield TCP.slice(at);
      });
      expect(await Promise.all(asked.map((one) => queues.queuedBytes(one, () => {})))).toEqual([0xabcd, 0]);
    }
  });

  it('needs no read of nothing behind a short one, unless a connection wasn’t in the table', async () => {
    let reads = 0;
    const queues = new SendQueues(async function* () {
      yield 'x'.repeat(4_000);
      reads++;
      yield `\n${TCP}`;
      reads++;
    });
    const ask = (port: number): Promise<number | undefined> => queues.queuedBytes(connection(port), () => {});
    expect(await ask(0xd431)).toBe(0xabcd);
    expect(reads).toBe(1);
    expect(await ask(0xd433)).toBeUndefined();
    expect(reads).toBe(3);
  });

  it('is nothing where no system tells', async () => {
    // biome-ignore lint/correctness/useYield: it fails before
    const queues = new SendQueues(async function* () {
      throw new Error('ENOENT');
    });
    expect(await queues.queuedBytes(connection(0xd431), () => {})).toBe(0);
  });
});
