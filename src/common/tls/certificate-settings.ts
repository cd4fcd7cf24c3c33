/** Which certificates a server is to use, by its settings. */
import type { Settings } from '../config/settings.ts';
import { TailraceError } from '../errors.ts';
import type { PemFiles } from './certificate-files.ts';

/** One at least. */
export type PemFileList = readonly [PemFiles, ...PemFiles[]];

type TlsSettings = Pick<Settings, 'tlsCert' | 'tlsKey'>;
type SyslogTlsSettings = Pick<Settings, 'syslogTlsCert' | 'syslogTlsKey' | 'syslogTlsClientCa'>;

/**
 * Those of the API and of apps; undefined: without TLS.
 * @throws TailraceError `settings` when one is missing
 */
export function httpPemFiles({ tlsCert, tlsKey }: TlsSettings): PemFileList | undefined {
  if (tlsCert.length !== tlsKey.length)
    throw new TailraceError(
      'settings',
      `TLS needs both TAILRACE_TLS_CERT and TAILRACE_TLS_KEY, and a key for each certificate in the same order: there are ${tlsCert.length} and ${tlsKey.length}.`,
    );
  const [first, ...more] = tlsCert.map((certificate, i) => ({
    certificate,
    key: tlsKey[i],
    settings: { certificate: 'TAILRACE_TLS_CERT', key: 'TAILRACE_TLS_KEY' },
  }));
  return first && [first, ...more];
}

/**
 * Those of syslog: its own, else those of the API.
 * @throws TailraceError `settings` when one is missing
 */
export function syslogPemFiles(settings: TlsSettings & SyslogTlsSettings): PemFileList | undefined {
  const { syslogTlsCert: certificate, syslogTlsKey: key, syslogTlsClientCa } = settings;
  const clientAuthority = syslogTlsClientCa || undefined;
  const authoritySetting = { clientAuthority: 'TAILRACE_SYSLOG_TLS_CLIENT_CA' };
  if (!certificate && !key) {
    const [first, ...more] = (httpPemFiles(settings) ?? []).map((files) => ({
      ...files,
      clientAuthority,
      settings: { ...files.settings, ...authoritySetting },
    }));
    if (!first && clientAuthority)
      throw new TailraceError(
        'settings',
        "TAILRACE_SYSLOG_TLS_CLIENT_CA is set, but there is no certificate for syslog over TLS: set TAILRACE_TLS_CERT and TAILRACE_TLS_KEY, or TAILRACE_SYSLOG_TLS_CERT and _KEY; nobody's certificate is asked for without TLS.",
      );
    return first && [first, ...more];
  }
  if (!certificate || !key)
    throw new TailraceError(
      'settings',
      'Syslog over TLS needs both TAILRACE_SYSLOG_TLS_CERT and TAILRACE_SYSLOG_TLS_KEY: set the other one too.',
    );
  const names = { certificate: 'TAILRACE_SYSLOG_TLS_CERT', key: 'TAILRACE_SYSLOG_TLS_KEY' };
  return [{ certificate, key, clientAuthority, settings: { ...names, ...authoritySetting } }];
}

/** What isn't encrypted stays on this machine where there is something that is, unless somebody wants it elsewhere. */
export function hostOfPlainHttp({
  host,
  plainHttpHost,
  tlsCert,
}: Pick<Settings, 'host' | 'plainHttpHost' | 'tlsCert'>): string {
  return plainHttpHost || (tlsCert.length > 0 ? '127.0.0.1' : host);
}

/** The setting that says where that is. */
export function plainHttpHostSetting({
  plainHttpHost,
  tlsCert,
}: Pick<Settings, 'plainHttpHost' | 'tlsCert'>): string {
  return plainHttpHost || tlsCert.length > 0 ? 'TAILRACE_PLAIN_HTTP_HOST' : 'TAILRACE_HOST';
}
