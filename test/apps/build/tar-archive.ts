import { gzipSync } from 'node:zlib';

export interface TestMember {
  readonly path: string;
  /** The type flag; default: a file. */
  readonly type?: string;
  readonly link?: string;
  readonly body?: string | Buffer;
  /** What the header says of the size: default: the body's. */
  readonly size?: number | Buffer;
  readonly mode?: number;
  readonly magic?: string;
}

/** A header and its body, in whole blocks. */
export function tarMember(member: TestMember): Buffer {
  const { path, type = '0', link = '', mode = 0o644, magic = 'ustar\u000000' } = member;
  const body = Buffer.from(member.body ?? '');
  const { size = body.length } = member;
  const header = Buffer.alloc(512);
  header.write(path, 0, 100, 'utf8');
  header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
  header.write('0000000\u00000000000\0', 108);
  if (typeof size === 'number') header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  else size.copy(header, 124);
  header.write('14371573700\0', 136);
  header.write(type, 156, 1, 'latin1');
  header.write(link, 157, 100, 'utf8');
  header.write(magic, 257, 8, 'latin1');
  return Buffer.concat([sealed(header), padded(body)]);
}

/** A pax header with the records given. */
export function paxHeader(records: Readonly<Record<string, string>>, type = 'x'): Buffer {
  const body = Object.entries(records).map(([key, value]) => paxRecord(key, value));
  return tarMember({ path: 'PaxHeaders/x', type, body: Buffer.concat(body) });
}

export function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

/** The header with its checksum. */
export function sealed(header: Buffer): Buffer {
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

export const END_OF_ARCHIVE = Buffer.alloc(1_024);

/** A gzipped archive; members are objects or ready blocks. */
export function archive(...members: readonly (TestMember | Buffer)[]): Buffer {
  const blocks = members.map((one) => (Buffer.isBuffer(one) ? one : tarMember(one)));
  return gzipSync(Buffer.concat([...blocks, END_OF_ARCHIVE]));
}

function padded(body: Buffer): Buffer {
  return Buffer.concat([body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}
