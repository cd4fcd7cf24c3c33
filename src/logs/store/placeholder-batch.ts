import { BatchBuilder } from '../syslog/batch-builder.ts';
import { SyslogHeader, scanHeader } from '../syslog/header.ts';
import type { Sequence, StoredBatch } from './contract.ts';

/** A line of the platform in the place of a stream's last one, which is gone: restored, it has the stream go on counting behind it. */
export function placeholderBatch(last: Sequence, message: string): StoredBatch {
  const builder = new BatchBuilder(4_096);
  const header = new SyslogHeader();
  const line = Buffer.from(`<172>1 - - heroku logplex - - ${message}`);
  scanHeader(line, 0, line.length, header);
  builder.add(line, 0, line.length, header, Buffer.from('heroku'), Buffer.from('host'));
  const batch = builder.takeBatch();
  if (!batch) throw new Error('a batch of one line is empty');
  return { ...batch, first: last, last, storedAtMs: Date.now() };
}
