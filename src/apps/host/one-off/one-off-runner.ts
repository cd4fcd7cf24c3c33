/** One-off dynos: `run bash`, `run:detached rake db:migrate`. */
import { randomUUID } from 'node:crypto';
import { TailraceError } from '../../../common/errors.ts';
import type { AppId } from '../../../logs/store/contract.ts';
import { dynoEnv } from '../../processes/config/dyno-env.ts';
import { Dyno, type DynoInfo } from '../../processes/dyno.ts';
import type { LineSink } from '../../processes/output/line-sink.ts';
import type { DynoPidFile } from '../../processes/pid-file.ts';
import type { DynoSummary, OneOffDynoRequest } from '../contract.ts';
import type { ReleaseSpec } from '../release-spec.ts';
import { toDynoView } from '../running-apps.ts';
import { loadOrCreateCertificates } from '../server-certificates.ts';
import {
  ATTACH_TIMEOUT_MS,
  AttachedDyno,
  ONE_OFF_GRACE_MS,
  type OneOffDyno,
  type OneOffDynoOptions,
} from './attached-dyno.ts';
import { FramedInput } from './framed-input.ts';
import { RendezvousServer } from './rendezvous.ts';

/** How long the exit status is kept. */
const ENDED_TTL_MS = 60_000;

interface OneOffRunnerOptions {
  /** For the certificates of the rendezvous server. */
  readonly certificateFolder: string;
  /** Address and port to listen on; 0 for any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly pidFile: () => DynoPidFile;
  /** @throws TailraceError for an app that is being destroyed */
  readonly requireStaying: (app: AppId) => void;
}

interface OpenRendezvous {
  readonly server: RendezvousServer;
  readonly port: number;
  readonly caCertificate: string;
}

/** Starts one-off dynos, and keeps their exit status for a while. */
export class OneOffRunner {
  private readonly options: OneOffRunnerOptions;
  private readonly dynos = new Map<string, OneOffDyno>();
  /** Opened for the first attached dyno. */
  private openedRendezvous: Promise<OpenRendezvous> | undefined;
  private nextNumber = 1_000 + Math.floor(Math.random() * 9_000);

  constructor(options: OneOffRunnerOptions) {
    this.options = options;
  }

  /** Those of an app that run now, as the API lists them. */
  list(app: AppId): DynoSummary[] {
    return [...this.dynos.values()]
      .filter((one) => one.app === app && one.status === undefined)
      .map((one) => oneOffView(one));
  }

  /** Those that run of all apps, as processes. */
  processes(): { readonly app: AppId; readonly dyno: DynoInfo }[] {
    return [...this.dynos.values()]
      .filter(({ status }) => status === undefined)
      .map((one) => ({ app: one.app, dyno: one.info() }));
  }

  /** Also one that has exited a short while ago, with its status. */
  find(app: AppId, name: string): DynoSummary | undefined {
    const one = this.dynos.get(key(app, name));
    return one && oneOffView(one);
  }

  /** @returns false if there is no such dyno */
  resize(app: AppId, name: string, columns: number, rows: number): boolean {
    const one = this.dynos.get(key(app, name));
    one?.resize(columns, rows);
    return one !== undefined;
  }

  /** Stops the one with this name, or all (`run`). @returns how many there were */
  async stop(app: AppId, which: string): Promise<number> {
    const all = [...this.dynos.values()].filter(
      (one) => one.app === app && one.status === undefined && (which === 'run' || one.info().name === which),
    );
    await Promise.all(all.map((one) => one.stop()));
    return all.length;
  }

  /** PEM of the certificate authority that clients have to trust. */
  async caCertificate(): Promise<string> {
    return (await this.openRendezvous()).caCertificate;
  }

  /** Starts one. @returns it, with the address to attach to if the request says so */
  async run(
    app: AppId,
    releaseSpec: ReleaseSpec,
    request: OneOffDynoRequest,
    lines: LineSink,
  ): Promise<DynoSummary> {
    const id = randomUUID();
    const name = `${request.type}.${this.nextNumber++}`;
    const rendezvous = request.attach ? await this.openRendezvous() : undefined;
    const workspace = await (releaseSpec.createWorkspace?.(id, request.type, request.size) ?? {
      folder: releaseSpec.cwd,
      env: {},
      remove: async () => {},
    });
    try {
      this.options.requireStaying(app);
    } catch (error) {
      await workspace.remove();
      throw error;
    }
    const base = { ...releaseSpec.env, ...workspace.env, ...request.env };
    const env = dynoEnv({ base, name, id, port: undefined, color: false });
    const dynoOptions = { app, id, name, env, workspace, releaseSpec, request, lines };
    if (!rendezvous) return oneOffView(this.startDetached(dynoOptions));
    const { server, port } = rendezvous;
    const attached = new AttachedDyno(dynoOptions, this.options.pidFile());
    const { secret, cancel } = server.expectClient((client) => attached.attachClient(client));
    this.track(attached, attached.ended.finally(cancel));
    return { ...oneOffView(attached), attachPath: `:${port}/${secret}` };
  }

  /** Starts a command in a dyno that is there: with its files and variables, in its sandbox. It ends with that dyno. */
  async runInside(
    app: AppId,
    version: number,
    target: Dyno,
    request: OneOffDynoRequest,
    lines: LineSink,
  ): Promise<DynoSummary> {
    const { server, port } = await this.openRendezvous();
    const place = await target.place();
    if (!place) throw new TailraceError('conflict', `${target.info().name} has just ended.`);
    const { cwd, sandboxCommand, profileScript } = place;
    const id = randomUUID();
    const name = `${request.type}.${this.nextNumber++}`;
    const attached = new AttachedDyno(
      {
        app,
        id,
        name,
        env: { ...place.env, ...request.env },
        workspace: { folder: cwd, env: {}, sandboxCommand, remove: async () => {} },
        releaseSpec: { version, cwd, profileScript },
        request,
        lines,
      },
      this.options.pidFile(),
    );
    const { secret, cancel } = server.expectClient((client) => attached.attachClient(client));
    void target.exited.then(() => attached.stop());
    this.track(attached, attached.ended.finally(cancel));
    return { ...oneOffView(attached), attachPath: `:${port}/${secret}` };
  }

  /** Expects a client that is to be attached to a dyno, which goes on when it leaves. @returns `:port/secret` */
  async attach(target: Dyno): Promise<string> {
    const { server, port } = await this.openRendezvous();
    const { secret, cancel } = server.expectClient(({ socket, framed }) => {
      clearTimeout(timer);
      const attached = target.attach(socket);
      if (!attached) return void socket.end();
      const typed = framed ? socket.pipe(new FramedInput()) : socket;
      const { input } = attached;
      const goOn = (): void => void typed.resume();
      typed.on('data', (data: Buffer) => {
        // A dyno need not read: more waits at the terminal.
        if (input && !input.write(data)) typed.pause();
      });
      typed.resume();
      input?.on('drain', goOn);
      socket.on('close', () => {
        input?.off('drain', goOn);
        attached.detach();
      });
    });
    const timer = setTimeout(cancel, ATTACH_TIMEOUT_MS);
    timer.unref();
    return `:${port}/${secret}`;
  }

  /** A detached one that runs. @throws TailraceError `conflict` for one that somebody is attached to */
  findDyno(app: AppId, name: string): Dyno | undefined {
    const one = this.dynos.get(key(app, name));
    if (!one || one.status !== undefined) return undefined;
    if (one.dyno) return one.dyno;
    throw new TailraceError(
      'conflict',
      `${name} has a terminal of its own: whoever has started it is there.`,
    );
  }

  /** Ends them all, and the server that terminals connect to. */
  async close(): Promise<void> {
    await Promise.all([...this.dynos.values()].map((one) => one.stop()));
    await this.openedRendezvous?.then(({ server }) => server.close()).catch(() => {});
  }

  private startDetached(options: OneOffDynoOptions): OneOffDyno {
    const { app, id, name, env, workspace, releaseSpec, request, lines } = options;
    const dyno = new Dyno({
      name,
      type: request.type,
      command: request.command,
      size: request.size,
      profileScript: releaseSpec.profileScript,
      cwd: workspace.folder,
      env,
      sandboxCommand: workspace.sandboxCommand,
      lines,
      id,
      oneOff: true,
      killDaemonized: releaseSpec.createWorkspace !== undefined,
    });
    dyno.start();
    const { pid } = dyno.info();
    const pidFile = this.options.pidFile();
    if (pid !== undefined) pidFile.add(pid, id, name, { app });
    const one: OneOffDyno = {
      app,
      version: releaseSpec.version,
      info: () => dyno.info(),
      status: undefined,
      stop: async () => void (await dyno.stop(ONE_OFF_GRACE_MS)),
      resize: () => {},
      dyno,
    };
    const ended = dyno.exited.then(async ({ status }) => {
      one.status = status;
      if (pid !== undefined) pidFile.remove(pid);
      await workspace.remove();
    });
    this.track(one, ended);
    return one;
  }

  private track(one: OneOffDyno, ended: Promise<void>): void {
    const { name } = one.info();
    this.dynos.set(key(one.app, name), one);
    void ended.then(() => setTimeout(() => this.dynos.delete(key(one.app, name)), ENDED_TTL_MS).unref());
  }

  private openRendezvous(): Promise<OpenRendezvous> {
    this.openedRendezvous ??= this.listen();
    // A missing program may be installed at the next attempt.
    this.openedRendezvous.catch(() => {
      this.openedRendezvous = undefined;
    });
    return this.openedRendezvous;
  }

  private async listen(): Promise<OpenRendezvous> {
    const { certificateFolder, listen } = this.options;
    const certificates = await loadOrCreateCertificates(certificateFolder, 'Attached dynos');
    const server = new RendezvousServer(certificates);
    const port = await server.listen(listen.host, listen.port);
    return { server, port, caCertificate: certificates.caCertificate };
  }
}

function key(app: AppId, name: string): string {
  return `${app} ${name}`;
}

function oneOffView(one: OneOffDyno): DynoSummary {
  return { ...toDynoView(one.info(), one.version), exitStatus: one.status };
}
