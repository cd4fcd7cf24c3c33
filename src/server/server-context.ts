import type { Logger } from 'pino';
import type { Settings } from '../common/config/settings.ts';
import type { Addresses } from '../common/http/addresses.ts';
import type { CertificateFiles } from '../common/tls/certificate-files.ts';
import type { Leaving } from './leaving.ts';

/** What every part of a server is opened with. */
export interface ServerContext {
  readonly settings: Settings;
  readonly log: Logger;
  readonly addresses: Addresses;
  readonly certificates: CertificateFiles;
  readonly leaving: Leaving;
}
