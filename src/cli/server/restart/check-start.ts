/** What a start would refuse, found out by the next server while the one before still serves. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isolationFromSettings } from '../../../apps/host/isolation-settings.ts';
import type { Settings } from '../../../common/config/settings.ts';
import { reasonOf, TailraceError } from '../../../common/errors.ts';
import type { Log } from '../../../common/log.ts';
import { CertificateFiles } from '../../../common/tls/certificate-files.ts';
import { httpPemFiles, syslogPemFiles } from '../../../common/tls/certificate-settings.ts';
import { TlsIdentity } from '../../../common/tls/tls-identity.ts';

/** A full disk often has room for some bytes. */
const PROBE_BYTES = 65_536;

/** @throws TailraceError `settings` for certificates or an isolation that can't be used, `data_folder` when nothing can be written there */
export async function checkStart(settings: Settings, log: Log): Promise<void> {
  const certificates = new CertificateFiles(log);
  try {
    for (const files of [httpPemFiles(settings), syslogPemFiles(settings)])
      if (files) new TlsIdentity(certificates, files);
  } finally {
    certificates.close();
  }
  await isolationFromSettings(settings);
  const probe = join(settings.data, `.probe-${process.pid}`);
  try {
    writeFileSync(probe, Buffer.alloc(PROBE_BYTES));
  } catch (error) {
    throw new TailraceError(
      'data_folder',
      `The data folder ${settings.data} can't be written to (${reasonOf(error)}): see that its disk has space, and that it belongs to the server's user.`,
    );
  } finally {
    rmSync(probe, { force: true });
  }
}
