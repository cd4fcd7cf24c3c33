import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { BufferPool } from '../../../../src/common/buffers/buffer-pool.ts';
import { gzipFormat } from '../../../../src/logs/drains/encoders/gzip-format.ts';
import { logplexFormat } from '../../../../src/logs/drains/encoders/logplex.ts';
import { buildShipment } from '../../../../src/logs/drains/shipment.ts';
import { BatchBuilder } from '../../../../src/logs/syslog/batch-builder.ts';
import { SyslogHeader, scanHeader } from '../../../../src/logs/syslog/header.ts';

it('a format with gzip has the same body, compressed, the same to the byte each time, and else is as it was', async () => {
  const builder = new BatchBuilder();
  const header = new SyslogHeader();
  const text = Buffer.from('<190>1 2012-12-10T03:00:48.123456+00:00 host t web.1 - - hello');
  expect(scanHeader(text, 0, text.length, header)).toBe(true);
  builder.add(text, 0, text.length, header, Buffer.from('app'), Buffer.from('host'));
  const batch = { ...builder.takeBatch()!, first: 1, last: 1, storedAtMs: 0 };
  const shipment = buildShipment([batch], 0, 1_000)!;

  const plain = logplexFormat();
  const compressed = gzipFormat(plain);
  const pool = new BufferPool({ buffersMax: 1 });
  const { body, messageCount } = await compressed.encode(shipment, undefined, pool);
  expect(messageCount).toBe(1);
  expect(gunzipSync(body).toString()).toBe(
    '63 <190>1 2012-12-10T03:00:48.123456+00:00 host app web.1 - hello\n',
  );
  expect((await compressed.encode(shipment, undefined, pool)).body.equals(body)).toBe(true);
  expect(compressed).toMatchObject({ contentType: 'application/logplex-1', contentEncoding: 'gzip' });
  expect(compressed.shipmentBytesMax).toBe(plain.shipmentBytesMax);
});
