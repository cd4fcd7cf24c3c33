import { X509Certificate } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadOrCreateCertificates } from '../../../src/apps/host/server-certificates.ts';
import { fakeClockForTest, missingFakeClock } from '../../support/fake-clock.ts';
import { missing } from '../../support/program.ts';
import { dataFolderForTest } from '../../support/server.ts';

describe.skipIf(missing('openssl') || missingFakeClock())('a certificate of this server', () => {
  it('is made anew when the clock was set back behind its beginning, and only then', async () => {
    const folder = dataFolderForTest();
    const clock = fakeClockForTest();
    clock.set(3_600_000);
    const before = { ...process.env };
    onTestFinished(() => {
      process.env = before;
    });
    // By which openssl runs.
    process.env = { ...before, ...clock.env };
    const early = await loadOrCreateCertificates(folder, 'Tests');
    expect(Date.parse(new X509Certificate(early.certificate).validFrom)).toBeGreaterThan(Date.now());
    process.env = before;
    const made = await loadOrCreateCertificates(folder, 'Tests');
    for (const pem of [made.certificate, made.caCertificate])
      expect(Date.parse(new X509Certificate(pem).validFrom)).toBeLessThanOrEqual(Date.now());
    expect(await loadOrCreateCertificates(folder, 'Tests')).toEqual(made);
  });
});
