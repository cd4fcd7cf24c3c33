import { expect, test } from 'vitest';
import { routerLogLine } from '../../../../src/apps/http-router/http/access-log.ts';

test('a log line without a single safe value is still one line', () => {
  const evil = 'a\r\n"\\ \x00\x7f\xff';
  const entry = {
    method: evil,
    path: evil,
    host: evil,
    requestId: 'id',
    forwardedFor: evil,
    protocol: 'http' as const,
    dyno: 'web.1',
    connectMs: -1,
    serviceMs: 1.6,
    status: 200,
    byteCount: 0,
  };
  expect(routerLogLine(entry)).toBe(
    'at=info method=a%0D%0A%22%5C%20%00%7F%FF path="a%0D%0A%22%5C%20%00%7F%FF" host=a%0D%0A%22%5C%20%00%7F%FF request_id=id fwd="a%0D%0A%22%5C %00%7F%FF" dyno=web.1 connect= service=2ms status=200 bytes=0 protocol=http',
  );
});
