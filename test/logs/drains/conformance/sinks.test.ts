import { rmSync } from 'node:fs';
import type { TlsOptions } from 'node:tls';
import { afterAll, describe } from 'vitest';
import type { DrainOptions } from '../../../../src/logs/drains/options/drain-options.ts';
import { missing } from '../../../support/program.ts';
import { HttpReceiver, TcpReceiver } from '../../../support/receivers/receivers.ts';
import { CertificateAuthority } from '../../../support/senders/certificate-authority.ts';
import { temporaryFolder } from '../../../support/server.ts';
import { type DestinationMode, type SinkDestination, sinkSuite } from './sink-suite.ts';

class HttpDestination extends HttpReceiver implements SinkDestination {
  readonly options: DrainOptions;
  mode: DestinationMode = 'accept';

  constructor(options: DrainOptions = {}, tls?: TlsOptions) {
    super(tls);
    this.options = options;
    this.plan = () => (({ accept: 200, reset: 'reset-after-body', refuse: 400 }) as const)[this.mode];
  }

  messages(): string[] {
    return this.acceptedMessages();
  }

  frameIds(): string[] {
    return this.requests.map(({ frameId }) => frameId);
  }
}

class SyslogDestination extends TcpReceiver implements SinkDestination {
  readonly options: DrainOptions;
  mode: DestinationMode = 'accept';

  constructor(options: DrainOptions = {}, tls?: TlsOptions) {
    super(tls);
    this.options = options;
    this.onBytes = (socket) => {
      if (this.mode === 'reset') socket.destroy();
    };
  }

  frameIds(): string[] {
    return [];
  }
}

const HTTP = { canRefuse: true, hasFrameIds: true, splitsLines: true };
const SYSLOG = { canRefuse: false, hasFrameIds: false, splitsLines: false };

sinkSuite('http', HTTP, () => new HttpDestination().listen());
sinkSuite('syslog', SYSLOG, () => new SyslogDestination().listen());

describe.skipIf(missing('openssl'))('over TLS', () => {
  const folder = temporaryFolder();
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const authority = new CertificateAuthority(folder);
  const { cert, key } = authority.issue('IP:127.0.0.1');
  const options = { ca: authority.cert };
  sinkSuite('https', HTTP, () => new HttpDestination(options, { cert, key }).listen());
  sinkSuite('syslog+tls', SYSLOG, () => new SyslogDestination(options, { cert, key }).listen());
});
