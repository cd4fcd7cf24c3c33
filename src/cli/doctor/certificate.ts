/** The certificates of a server: those that it uses, or could use. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Settings } from '../../common/config/settings.ts';
import { errorMessage } from '../../common/text/error-message.ts';
import { chainFault, orderFault } from '../../common/tls/certificate-chain.ts';
import { httpPemFiles, syslogPemFiles } from '../../common/tls/certificate-settings.ts';
import { type CheckResult, resultsOf } from './check-result.ts';

const DAY_MS = 86_400_000;
const EXPIRES_SOON_DAYS = 14;

const result = resultsOf('certificate');

/** A certificate as `GET /status` has it. */
export interface CertificateInUse {
  readonly file: string;
  readonly not_after: string;
  readonly trouble: string | null;
}

/** Those that a server uses. */
export function checkCertificatesInUse(certificates: readonly CertificateInUse[]): CheckResult[] {
  return certificates.map(({ file, not_after, trouble }) => {
    if (trouble !== null) return result('trouble', `${file}: ${trouble}`);
    return checkTimes(file, Date.parse(not_after), 0, Date.now());
  });
}

/** Those that a server would have with these settings. */
export function checkCertificateFiles(settings: Settings): CheckResult[] {
  try {
    const pairs = [...(httpPemFiles(settings) ?? []), ...(syslogPemFiles(settings) ?? [])];
    const keys = new Map(pairs.map(({ certificate, key }) => [certificate, key]));
    return [...keys].flatMap(([certificate, key]) => checkCertificate(certificate, key));
  } catch (error) {
    return [result('trouble', errorMessage(error))];
  }
}

/** Can these files be used, and for how long? */
export function checkCertificate(certFile: string, keyFile: string, nowMs = Date.now()): CheckResult[] {
  try {
    const pem = readFileSync(certFile);
    const found = new X509Certificate(pem);
    const key = createPrivateKey(readFileSync(keyFile));
    if (!found.checkPrivateKey(key)) {
      const fault = orderFault(certFile, pem, key);
      return [
        result(
          'trouble',
          fault ?? `${keyFile} is not the key of ${certFile}: name the one that belongs to it.`,
        ),
      ];
    }
    const fault = chainFault(certFile, pem);
    return [
      checkTimes(certFile, Date.parse(found.validTo), Date.parse(found.validFrom), nowMs),
      ...(fault === undefined ? [] : [result('concern', fault)]),
    ];
  } catch (error) {
    const reason = errorMessage(error);
    return [
      result('trouble', `${certFile} and ${keyFile} can't be used (${reason}): name files in PEM form.`),
    ];
  }
}

function checkTimes(file: string, notAfterMs: number, notBeforeMs: number, nowMs: number): CheckResult {
  const days = Math.floor((notAfterMs - nowMs) / DAY_MS);
  const date = (ms: number): string => new Date(ms).toISOString();
  if (days < 0)
    return result('trouble', `${file} expired on ${date(notAfterMs)}: clients refuse it. Renew it.`);
  if (notBeforeMs > nowMs)
    return result('trouble', `${file} is not valid before ${date(notBeforeMs)}: check the clock.`);
  if (days < EXPIRES_SOON_DAYS)
    return result(
      'concern',
      `${file} expires in ${days} days: renew it. A running server reads it anew by itself.`,
    );
  return result('ok', `${file}, valid for ${days} more days`);
}
