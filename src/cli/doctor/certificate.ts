/** The certificate of syslog over TLS. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type CheckResult, resultsOf } from './check-result.ts';

const DAY_MS = 86_400_000;
const EXPIRES_SOON_DAYS = 14;

/** Can these files be used, and for how long? None when there is no certificate. */
export function checkCertificate(certFile: string, keyFile: string, nowMs = Date.now()): CheckResult[] {
  const result = resultsOf('certificate');
  if (certFile === '' && keyFile === '') return [];
  if (certFile === '' || keyFile === '')
    return [
      result('trouble', 'Set both TAILRACE_SYSLOG_TLS_CERT and TAILRACE_SYSLOG_TLS_KEY: one is missing.'),
    ];
  try {
    const found = new X509Certificate(readFileSync(certFile));
    if (!found.checkPrivateKey(createPrivateKey(readFileSync(keyFile))))
      return [
        result('trouble', `${keyFile} is not the key of ${certFile}: name the one that belongs to it.`),
      ];
    const days = Math.floor((Date.parse(found.validTo) - nowMs) / DAY_MS);
    if (days < 0)
      return [result('trouble', `${certFile} expired on ${found.validTo}: senders refuse it. Renew it.`)];
    if (Date.parse(found.validFrom) > nowMs)
      return [result('trouble', `${certFile} is not valid before ${found.validFrom}: check the clock.`)];
    if (days < EXPIRES_SOON_DAYS)
      return [result('concern', `${certFile} expires in ${days} days: renew it, and restart the server.`)];
    return [result('ok', `${certFile}, valid for ${days} more days`)];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [
      result('trouble', `${certFile} and ${keyFile} can't be used (${reason}): name files in PEM form.`),
    ];
  }
}
