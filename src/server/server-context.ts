import type { Logger } from 'pino';
import type { Settings } from '../common/config/settings.ts';
import type { Addresses } from '../common/http/addresses.ts';
import type { CertificateFiles } from '../common/tls/certificate-files.ts';
import type { Handover } from './shutdown.ts';

/** What every part of a server is opened with. */
export interface ServerContext {
  readonly settings: Settings;
  readonly log: Logger;
  readonly addresses: Addresses;
  readonly certificates: CertificateFiles;
  readonly handover: Handover;
}
