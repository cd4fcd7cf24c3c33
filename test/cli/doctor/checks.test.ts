/** The results of each check. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkCertificate } from '../../../src/cli/doctor/certificate.ts';
import { checkDataFolder } from '../../../src/cli/doctor/data-folder.ts';
import { checkServerProcess } from '../../../src/cli/doctor/node.ts';
import { checkListeningPorts, checkPortsFree, type RequiredPort } from '../../../src/cli/doctor/ports.ts';
import { checkPrograms } from '../../../src/cli/doctor/programs.ts';
import { makeCertificate } from '../../support/redis/redis-server.ts';
import { dataFolderForTest } from '../../support/server.ts';

describe('the doctor', () => {
  it('reports a server process without the recommended flags', async () => {
    for (const [flags, limit, text] of [
      [['--single-threaded-gc'], 4_096, /started as it should be/],
      [[], 4_096, /without node's --single-threaded-gc/],
      [['--single-threaded-gc'], 256, /256 files open, and take 1000 syslog connections/],
    ] as const) {
      const args = [...flags, '-e', 'setInterval(() => {}, 1e6); console.log("up")'];
      const child = spawn('sh', ['-c', `ulimit -n ${limit}; exec "$0" "$@"`, process.execPath, ...args]);
      onTestFinished(() => void child.kill());
      await once(child.stdout, 'data');
      expect(checkServerProcess({ pid: child.pid!, connections: 1_000 }).map((one) => one.text)).toEqual([
        expect.stringMatching(text),
      ]);
    }
  });

  it('writes to the data folder', () => {
    const folder = dataFolderForTest();
    expect(checkDataFolder(folder)).toMatchObject([
      { level: 'ok', text: expect.stringMatching(/GB free, writable$/) },
    ]);
    expect(checkDataFolder(join(folder, 'new', 'one'))).toMatchObject([{ level: 'ok' }]);
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(checkDataFolder(file)).toMatchObject([
      { level: 'trouble', text: expect.stringContaining('is no folder') },
    ]);
    // Not writable, not even for root.
    expect(checkDataFolder('/proc/1')).toMatchObject([
      { level: 'trouble', text: expect.stringContaining("can't be written") },
    ]);
    writeFileSync(join(folder, 'key'), 'k.secret', { mode: 0o644 });
    expect(checkDataFolder(folder)).toMatchObject([
      { level: 'ok' },
      { level: 'concern', text: expect.stringContaining('chmod 600') },
    ]);
  });

  it('listens on ports, and names the owner of one that is taken', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void holder.close());
    const address = holder.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const wanted = (more: Partial<RequiredPort>): RequiredPort => ({
      port,
      transport: 'tcp',
      purpose: 'syslog',
      setting: 'TAILRACE_SYSLOG_PORT',
      host: '127.0.0.1',
      hostSetting: 'TAILRACE_HOST',
      ...more,
    });
    const findings = await checkPortsFree([wanted({}), wanted({ transport: 'udp' }), wanted({ port: 0 })]);
    expect(findings.map(({ level }) => level)).toEqual(['trouble', 'ok']);
    expect(findings[0].text).toMatch(
      new RegExp(
        `^Taken by .+, process ${process.pid}, and wanted for syslog \\(TCP\\): .* TAILRACE_SYSLOG_PORT`,
      ),
    );
    const [elsewhere] = await checkPortsFree([
      wanted({ host: '192.0.2.1', hostSetting: 'TAILRACE_PLAIN_HTTP_HOST' }),
    ]);
    expect(elsewhere).toMatchObject({
      level: 'trouble',
      text: expect.stringContaining('set TAILRACE_PLAIN_HTTP_HOST to'),
    });
    expect(checkListeningPorts(process.pid)?.text).toContain(`${port} (TCP)`);
  });

  it('names the feature that a missing program is for', () => {
    const bin = dataFolderForTest();
    for (const name of ['git', 'tar', 'python3', 'npm']) writeFileSync(join(bin, name), '', { mode: 0o755 });
    expect(checkPrograms(bin)).toEqual([
      { check: 'programs', level: 'ok', text: 'git, tar, python3, npm' },
      { check: 'programs', level: 'note', text: expect.stringMatching(/^openssl isn't installed/) },
    ]);
  });

  it('reports certificates that are expired, expire soon, or don’t match their key', () => {
    const [folder, other] = [dataFolderForTest(), dataFolderForTest()];
    const { certificate: cert, key } = makeCertificate(folder);
    const strange = makeCertificate(other).key;
    const inDays = (days: number): number => Date.now() + days * 86_400_000;
    expect(checkCertificate(cert, key, inDays(-60))).toMatchObject([
      { level: 'trouble', text: expect.stringContaining('not valid before') },
    ]);
    expect(checkCertificate(cert, key)).toMatchObject([
      { level: 'concern', text: expect.stringContaining('expires in 1 days') },
    ]);
    expect(checkCertificate(cert, key, inDays(3))).toMatchObject([
      { level: 'trouble', text: expect.stringContaining('expired on') },
    ]);
    expect(checkCertificate(cert, strange)).toMatchObject([
      { level: 'trouble', text: expect.stringContaining('is not the key of') },
    ]);
    expect(checkCertificate(cert, join(folder, 'none'))).toMatchObject([
      { level: 'trouble', text: expect.stringContaining('ENOENT') },
    ]);
    expect(checkCertificate(cert, '')).toMatchObject([{ level: 'trouble' }]);
  });
});
