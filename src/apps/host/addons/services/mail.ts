import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadOrCreateCertificates } from '../../server-certificates.ts';
import { findProgram } from '../local/find-program.ts';
import type { LocalInstance, ProcessService } from '../local/local-service.ts';
import { askOwnProgram, derivedSecret, type OwnProgramSettings, ownProgram } from '../local/own-program.ts';

/** Within the add-on's folder: `authority.pem`, `server.pem`, `server.key`. */
export const CERTIFICATES_FOLDER = 'certificates';
/** Clients that take STARTTLS whenever it is offered, and want a known certificate, can do without it. */
const PLAN_WITHOUT_TLS = 'no-tls';

/** What the program finds in its settings. */
export interface MailSettings extends OwnProgramSettings {
  readonly login: string;
  readonly loginPassword: string;
  readonly hasTls: boolean;
}

/** What the program says of itself at `api/status`. */
export interface MailStatus {
  readonly name: string;
  readonly messages: number;
  readonly unread: number;
  readonly bytes: number;
  /** The oldest ones that had to go, for want of space, since it was created. */
  readonly dropped: number;
  readonly messages_max: number;
  readonly bytes_max: number;
}

export const mailService: ProcessService = {
  service: 'mailgun',
  hasPagePort: true,
  ...ownProgram('addon-mail', (instance) => ({
    login: login(instance),
    loginPassword: loginPassword(instance),
    hasTls: hasTls(instance),
  })),
  missing: () =>
    findProgram('openssl') ? undefined : 'openssl is not installed on the server: apt-get install openssl.',
  // Renewed when they are about to expire.
  checkData: async (instance) => {
    await loadOrCreateCertificates(join(instance.folder, CERTIFICATES_FOLDER), 'E-mail add-ons');
  },
  facts: (instance) => ({
    host: 'localhost',
    port: String(instance.port),
    username: login(instance),
    password: loginPassword(instance),
    ...(hasTls(instance) ? { ca: authorityOf(instance) } : {}),
  }),
  message: (instance) => {
    const kept = `Every mail sent to it stays there: look with tailrace addons:open ${instance.name}.`;
    if (!hasTls(instance)) return kept;
    return `${kept} It offers STARTTLS; a client that checks certificates needs the config var that ends with CA_CERT, or the plan ${PLAN_WITHOUT_TLS}.`;
  },
  async info(instance) {
    const status = await statusOf(instance);
    return [
      { name: 'Plan', values: [instance.plan.description] },
      { name: 'Status', values: ['available'] },
      { name: 'Messages', values: [`${status.messages}/${status.messages_max}, ${status.unread} unread`] },
      { name: 'Size', values: [`${megabytes(status.bytes)}/${megabytes(status.bytes_max)} MB`] },
      { name: 'Dropped', values: [`${status.dropped} of the oldest, for want of space`] },
      { name: 'STARTTLS', values: [hasTls(instance) ? 'offered' : 'not offered'] },
    ];
  },
  async samples(instance) {
    const { messages, unread, bytes, dropped } = await statusOf(instance);
    return { messages, unread, mailbox_size: `${bytes}bytes`, dropped };
  },
};

const login = ({ password }: LocalInstance): string => derivedSecret(password, 'smtp login');
const loginPassword = ({ password }: LocalInstance): string => derivedSecret(password, 'smtp password');
const hasTls = ({ plan }: LocalInstance): boolean => plan.name !== PLAN_WITHOUT_TLS;
const statusOf = (instance: LocalInstance): Promise<MailStatus> => askOwnProgram(instance, 'api/status');
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

function authorityOf({ folder }: LocalInstance): string {
  return readFileSync(join(folder, CERTIFICATES_FOLDER, 'authority.pem'), 'utf8');
}
