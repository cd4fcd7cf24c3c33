/** Archives in buckets: against a server that speaks S3's protocol, and one that fails. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { sign } from 'aws4';
import S3rver from 's3rver';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Archiver } from '../../../../drains/viewer/archive/archiver.ts';
import { ArchiveCatalog } from '../../../../drains/viewer/archive/catalog.ts';
import { Keeper } from '../../../../drains/viewer/archive/keeper.ts';
import { searchArchive } from '../../../../drains/viewer/archive/search-archive.ts';
import type { LocalFile } from '../../../../drains/viewer/archive/storage/archive-storage.ts';
import { openArchiveStorage } from '../../../../drains/viewer/archive/storage/open-storage.ts';
import { type S3Options, S3Storage } from '../../../../drains/viewer/archive/storage/s3-storage.ts';
import { SILENT_LOG } from '../../../../src/common/log.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { until } from '../../../support/until.ts';
import { MemoryLineStore, MemoryRecords } from './memory-line-store.ts';

/** s3rver's own. */
const KEYS = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' };
const SHOP = '11111111-1111-4111-8111-111111111111' as AppId;

let folder: string;
let s3: S3rver;
let endpoint: string;
/** Between the client and the server: what it does with a request, when it isn't passed on. */
let interfere: (request: IncomingMessage, response: ServerResponse) => boolean = () => false;
let requests: string[] = [];
let proxy: Server;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 's3-'));
  s3 = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory: join(folder, 'buckets'),
    configureBuckets: [{ name: 'logs', configs: [] }],
  });
  const { port } = await s3.run();
  proxy = createServer((from, response) => {
    requests.push(`${from.method} ${from.url}`);
    if (interfere(from, response)) {
      from.resume();
      return;
    }
    const { method, url: path, headers } = from;
    if (!isSigned(from)) {
      from.resume();
      response.writeHead(403, { 'content-type': 'application/xml' });
      response.end('<Error><Code>SignatureDoesNotMatch</Code></Error>');
      return;
    }
    const to = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    from.pipe(to);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => proxy.once('listening', resolve));
  endpoint = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
});
afterAll(async () => {
  proxy.closeAllConnections();
  proxy.close();
  await s3.close();
  rmSync(folder, { recursive: true, force: true });
});

/** s3rver believes every signature: here it is made once more, by another library. */
function isSigned({ method, url: path, headers: all }: IncomingMessage): boolean {
  const { authorization } = all;
  const names = /SignedHeaders=([^,]+)/.exec(authorization ?? '')?.[1].split(';') ?? [];
  const headers = Object.fromEntries(names.map((name) => [name, String(all[name])]));
  const options = { method, path, headers, service: 's3', region: 'us-east-1' };
  const signed = sign(options, { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' });
  const signature = /Signature=\w+/;
  return (
    signature.exec(String(signed.headers?.Authorization))?.[0] === signature.exec(authorization ?? '')?.[0]
  );
}

const open = (place = `s3://logs/of/viewer?endpoint=${endpoint}`, keys: object = KEYS) =>
  openArchiveStorage(place, keys);

function openParts(options: Partial<S3Options> = {}): S3Storage {
  return new S3Storage({
    endpoint,
    region: 'us-east-1',
    bucket: 'logs',
    prefix: 'parts',
    accessKeyId: 'S3RVER',
    secretAccessKey: 'S3RVER',
    partBytes: 5 << 20,
    ...options,
  });
}

function localFile(bytes: Buffer): LocalFile {
  const path = join(folder, 'local');
  writeFileSync(path, bytes);
  return { path, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

async function bytesOf(
  storage: { read(key: string): Promise<AsyncIterable<Buffer>> },
  key: string,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await storage.read(key)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('a bucket', () => {
  it('keeps files under their keys below its folder, and lists them', async () => {
    const storage = open();
    const bytes = randomBytes(1_000);
    const key = 'shop/dt=2023-11-28/2023-11-28-07.ndjson.gz';
    await storage.put(key, localFile(bytes));
    await storage.putText('shop/dt=2023-11-28/_files.json', '{"ü":1}');
    expect(await bytesOf(storage, key)).toEqual(bytes);
    expect((await storage.list('')).map((file) => [file.key, file.bytes])).toEqual([
      [key, 1_000],
      ['shop/dt=2023-11-28/_files.json', 8],
    ]);
    expect((await storage.find(key))?.bytes).toBe(1_000);
    expect(await storage.find(`${key}x`)).toBeUndefined();
    expect((await open(`s3://logs?endpoint=${endpoint}`).list('of/viewer/')).length).toBe(2);
    await expect(storage.read('none')).rejects.toThrow(
      'There is no file none in the archive s3://logs/of/viewer at',
    );
  });

  it('gets large files in parts', async () => {
    const bytes = randomBytes((12 << 20) + 7);
    const storage = openParts();
    requests = [];
    await storage.put('large.gz', localFile(bytes));
    expect(requests.filter((line) => /PUT .*partNumber=\d/.test(line))).toHaveLength(3);
    expect((await bytesOf(storage, 'large.gz')).equals(bytes)).toBe(true);
  });

  it('is asked again after what passes', async () => {
    let failures = 2;
    interfere = (_request, response) => {
      if (failures-- <= 0) return false;
      if (failures === 0) response.destroy();
      else response.writeHead(503).end();
      return true;
    };
    const storage = open();
    await storage.put('retried.gz', localFile(Buffer.from('whole')));
    interfere = () => false;
    expect((await bytesOf(storage, 'retried.gz')).toString()).toBe('whole');
  });

  it('is believed when it answers with what was sent, or is read again', async () => {
    // It keeps something else; its ETag is that of something else, too.
    interfere = (from, response) => {
      if (from.method === 'GET') response.end('something else');
      else response.writeHead(200, { etag: `"${'0'.repeat(32)}"` }).end();
      return true;
    };
    await expect(open().put('changed.gz', localFile(Buffer.from('whole')))).rejects.toThrow(
      'changed.gz reads differently from what was written',
    );
    // With SSE-KMS an ETag is no checksum: what is there counts.
    interfere = (from, response) => {
      if (from.method !== 'GET') response.writeHead(200, { etag: `"${'0'.repeat(32)}"` }).end();
      else response.end('whole');
      return true;
    };
    await open().put('encrypted.gz', localFile(Buffer.from('whole')));
    interfere = () => false;
  });

  it('leaves no parts behind when it fails for good', async () => {
    interfere = (from, response) => {
      if (!/partNumber=2/.test(from.url ?? '')) return false;
      response
        .writeHead(403, { 'content-type': 'application/xml' })
        .end('<Error><Code>AccessDenied</Code></Error>');
      return true;
    };
    requests = [];
    await expect(openParts().put('never.gz', localFile(randomBytes(6 << 20)))).rejects.toThrow(
      /^s3:\/\/logs\/parts at 127\.0\.0\.1:\d+ can't be written \(403.*\): the access key may not do that/,
    );
    interfere = () => false;
    expect(requests.at(-1)).toMatch(/^DELETE .*uploadId=/);
    expect(await openParts().find('never.gz')).toBeUndefined();
  });

  it('that isn’t there, or refuses the key, is said in a sentence without the key', async () => {
    const file = localFile(Buffer.from('x'));
    const wrongKey = open(undefined, {
      AWS_ACCESS_KEY_ID: 'S3RVER',
      AWS_SECRET_ACCESS_KEY: 'not-the-secret',
    });
    const refused = await wrongKey.put('x.gz', file).then(String, String);
    expect(refused).toContain('the access key may not do that: check AWS_ACCESS_KEY_ID');
    expect(refused).not.toContain('not-the-secret');
    await expect(open(`s3://elsewhere?endpoint=${endpoint}`).put('x.gz', file)).rejects.toThrow(
      'there is no such bucket: create it, or check the name in VIEWER_ARCHIVE',
    );
    await expect(open(`s3://elsewhere?endpoint=${endpoint}`).list('')).rejects.toThrow(
      'there is no such bucket',
    );
    await expect(open('s3://logs?endpoint=http://127.0.0.1:1').list('')).rejects.toThrow(
      /^s3:\/\/logs at 127\.0\.0\.1:1 can't be listed \(.+\): check the endpoint/,
    );
  });

  it.each([
    [403, 'RequestTimeTooSkewed', 'application/xml', "this machine's clock, or the store's, is wrong"],
    [
      403,
      'RequestTimeTooSkewed',
      'application/xml; charset=UTF-8',
      "this machine's clock, or the store's, is wrong",
    ],
    [
      400,
      'AuthorizationHeaderMalformed',
      'application/xml',
      'the bucket is in another region: name it with ?region=',
    ],
  ])(
    'that refuses with %s %s (%s) is said with what to do about that',
    async (status, code, type, advice) => {
      interfere = (_, response) => {
        response.writeHead(status, { 'content-type': type });
        response.end(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`);
        return true;
      };
      await expect(open().list('')).rejects.toThrow(advice);
      interfere = () => false;
    },
  );

  it('that doesn’t answer isn’t waited for again and again', async () => {
    requests = [];
    interfere = () => true;
    await expect(openParts({ answerMs: 100 }).list('')).rejects.toThrow(
      /can't be listed \(UND_ERR_HEADERS_TIMEOUT\): check the endpoint and that it is reachable/,
    );
    interfere = () => false;
    expect(requests).toHaveLength(1);
  });

  it('holds a whole archive, which is searched there', async () => {
    const store = new MemoryLineStore();
    const day = Date.parse('2023-11-28T00:00:00Z');
    for (let i = 0; i < 50; i++) store.add(SHOP, day + i * 600_000, `line ${i}`);
    const catalog = new ArchiveCatalog(open(`s3://logs/whole?endpoint=${endpoint}`));
    const archiver = new Archiver({
      store: store.asStore,
      records: new MemoryRecords(),
      catalog,
      folder: join(folder, 'spool'),
      hourBytes: 1,
      now: () => day + 86_400_000,
    });
    const group = { id: 'g', name: 'g', streams: [{ id: SHOP, name: 'shop' }] };
    while (await archiver.archiveNext(group));
    // What others have put there belongs to it, too.
    await catalog.storage.put(
      'old/dt=2011-02-10/2011-02-10.tsv.gz',
      localFile(
        gzipSync(
          '5\t2011-02-10 00:19:36 -0800\t2011-02-10 00:19:36 -0800\t4\tsys\t\tUser\tInfo\tp\told line 3\n',
        ),
      ),
    );
    const { files, problems } = await catalog.list();
    expect([files.length, problems]).toEqual([10, []]);
    const found = await searchArchive(catalog, {
      direction: 'before',
      limit: 100,
      query: { kind: 'text', text: 'line 3' },
    });
    expect(found.lines.map(({ timeMs }) => Math.round((timeMs - day) / 600_000))).toHaveLength(12);
    expect(found.lines.at(-1)?.file).toBe('old/dt=2011-02-10/2011-02-10.tsv.gz');
  });
});

describe('a bucket that fails while archives are written', () => {
  const DAY = Date.parse('2023-11-28T00:00:00Z');
  let store: MemoryLineStore;
  let records: MemoryRecords;
  let nowMs: number;
  let number = 0;
  let place: string;
  beforeEach(() => {
    store = new MemoryLineStore();
    records = new MemoryRecords();
    place = `s3://logs/failing-${++number}?endpoint=${endpoint}`;
    store.add(SHOP, DAY + 1, 'first');
    nowMs = DAY + 3_660_000;
  });
  afterEach(() => {
    interfere = () => false;
  });

  function openArchiver(storage = open(place)): Archiver {
    return new Archiver({
      store: store.asStore,
      records,
      catalog: new ArchiveCatalog(storage),
      folder: join(folder, 'failing-spool'),
      hourBytes: 1,
      now: () => nowMs,
    });
  }
  const group = { id: 'g', name: 'g', streams: [{ id: SHOP, name: 'shop' }] };
  const isList = ({ method, url }: IncomingMessage): boolean =>
    method === 'GET' && url?.includes('list-type=2') === true;

  it.each([
    ['a page to log in at', '<html><body>Please accept our terms</body></html>'],
    [
      'half of a list',
      '<?xml version="1.0"?><ListBucketResult><Name>logs</Name><KeyCount>2</KeyCount><Contents><Key>',
    ],
    ['nothing', ''],
  ])('writes over nothing when it answers with %s instead of the list', async (_, body) => {
    await openArchiver().archiveNext(group);
    // Another store, or one that was restored: the name is taken.
    store = new MemoryLineStore();
    records = new MemoryRecords();
    store.add(SHOP, DAY + 2, 'second');
    interfere = (from, response) => {
      if (!isList(from)) return false;
      response.writeHead(200, { 'content-type': 'application/xml' }).end(body);
      return true;
    };
    await expect(openArchiver().archiveNext(group)).rejects.toThrow(
      /can't be listed \(it answers with something else than a list of files, or half of one\)/,
    );
    interfere = () => false;
    await openArchiver().archiveNext(group);
    const { files, problems } = await new ArchiveCatalog(open(place)).list();
    expect(files.map(({ key, listed }) => [key, listed?.lines]).sort()).toEqual([
      ['g/dt=2023-11-28/2023-11-28-00.ndjson.gz', 1],
      ['g/dt=2023-11-28/2023-11-28-00_2.ndjson.gz', 1],
    ]);
    expect(problems).toEqual([]);
  });

  it('keeps the list of the day when half of it comes', async () => {
    await openArchiver().archiveNext(group);
    store.add(SHOP, DAY + 3_700_000, 'second');
    nowMs += 3_600_000;
    interfere = (from, response) => {
      if (from.method !== 'GET' || !/^[^?]*_files\.json$/.test(from.url ?? '')) return false;
      response.writeHead(200, { 'content-length': 700 });
      response.write('{"version":1,"files":[', () => response.destroy());
      return true;
    };
    await expect(openArchiver().archiveNext(group)).rejects.toThrow(/_files\.json can't be read/);
    interfere = () => false;
    await openArchiver().archiveNext(group);
    const { files, problems } = await new ArchiveCatalog(open(place)).list();
    expect(files.map(({ listed }) => listed?.lines)).toEqual([1, 1]);
    expect(problems).toEqual([]);
  });

  it.each(['PUT', 'GET'])(
    'isn’t waited for by a viewer that is stopped, while it answers no %s',
    async (method) => {
      const hung: IncomingMessage[] = [];
      interfere = (from) => from.method === method && hung.push(from) > 0;
      const keeper = new Keeper({
        store: store.asStore,
        records,
        archiver: openArchiver(openParts({ answerMs: 3_600_000 })),
        groups: async () => [group],
        defaults: {},
        log: SILENT_LOG,
        now: () => nowMs,
      });
      keeper.start();
      await until('a request without an answer', () => hung.length > 0);
      await keeper.close();
      // Nobody goes on with it.
      await until('the end of its connection', () => hung[0].socket.destroyed);
      interfere = () => false;
      expect((await openArchiver().archiveNext(group))?.lines).toBe(1);
    },
  );

  it('keeps no parts of an upload whose viewer was killed in the middle of it', async () => {
    for (let i = 0; i < 300; i++) store.add(SHOP, DAY + 10 + i, randomBytes(20_000).toString('hex'));
    const begun: string[] = [];
    let isKilled = false;
    interfere = (from, response) => {
      const url = from.url ?? '';
      const id = /uploadId=([^&]+)/.exec(url)?.[1];
      if (id !== undefined && !begun.includes(id)) begun.push(id);
      // s3rver doesn't list them.
      if (from.method === 'GET' && /[?&]uploads=?(?:&|$)/.test(url)) {
        const key = decodeURIComponent(/prefix=([^&]+)/.exec(url)?.[1] ?? '');
        const entries = [`${key}.other`, key].map(
          (one) =>
            `<Upload><Key>${one}</Key><UploadId>${one === key ? begun[0] : 'theirs'}</UploadId></Upload>`,
        );
        response.writeHead(200, { 'content-type': 'application/xml' });
        response.end(`<ListMultipartUploadsResult>${entries.join('')}</ListMultipartUploadsResult>`);
        return true;
      }
      // Of a process that is killed nothing comes any more.
      return !isKilled && /partNumber=2/.test(url);
    };
    const openPartsHere = (): S3Storage => openParts({ prefix: `killed-${number}`, partBytes: 500_000 });
    void openArchiver(openPartsHere())
      .archiveNext(group)
      .catch(() => undefined);
    await until('the second part', () => requests.some((line) => /partNumber=2/.test(line)));
    isKilled = true;
    requests = [];
    expect((await openArchiver(openPartsHere()).archiveNext(group))?.lines).toBe(301);
    expect(requests.filter((line) => line.startsWith('DELETE'))).toEqual([
      expect.stringContaining(`uploadId=${begun[0]}`),
    ]);
    expect(begun).toHaveLength(2);
  });

  it('needn’t list uploads', async () => {
    // As s3rver does: 501 NotImplemented, or 403.
    records = new MemoryRecords();
    const archiver = openArchiver();
    interfere = (from, response) => {
      if (from.method !== 'PUT') return false;
      response.writeHead(403).end();
      return true;
    };
    await expect(archiver.archiveNext(group)).rejects.toThrow('the access key may not do that');
    interfere = () => false;
    requests = [];
    expect((await archiver.archiveNext(group))?.lines).toBe(1);
    expect(requests.filter((line) => /[?&]uploads/.test(line))).toHaveLength(1);
  });
});

describe('VIEWER_ARCHIVE', () => {
  it.each([
    [
      's3://logs',
      {},
      'VIEWER_ARCHIVE names a bucket: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY as well.',
    ],
    ['s3://Logs_1', KEYS, 'VIEWER_ARCHIVE takes s3://bucket/folder, the bucket in small letters and digits.'],
    ['s3://logs?secret=x', KEYS, /keys belong into AWS_ACCESS_KEY_ID/],
    ['s3://logs?endpoint=ftp://x', KEYS, /has an endpoint that is no address/],
    ['s3://logs?endpoint=https://a:b@x', KEYS, /has a password in its endpoint/],
    ['gs://logs', KEYS, /takes a folder, or s3:\/\/bucket\/folder/],
  ])('is refused in a sentence: %s', (place, keys, sentence) => {
    expect(() => openArchiveStorage(place, keys)).toThrow(sentence);
  });

  it('may name a region, and AWS’ own endpoint', () => {
    expect(open('s3://logs/x?region=eu-central-1').description).toBe(
      's3://logs/x at s3.eu-central-1.amazonaws.com',
    );
    expect(open('s3://logs', { ...KEYS, AWS_REGION: 'eu-west-1' }).description).toBe(
      's3://logs at s3.eu-west-1.amazonaws.com',
    );
    expect(open('/var/archive').description).toBe('/var/archive');
  });
});
