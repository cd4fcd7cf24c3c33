/** One-off dynos: `run bash`, `run:detached rake db:migrate`. */
import { randomUUID } from 'node:crypto';
import type { AppId } from '../../../logs/store/contract.ts';
import { dynoEnv } from '../../processes/config/dyno-env.ts';
import { Dyno, type DynoInfo } from '../../processes/dyno.ts';
import type { DynoLedger } from '../../processes/dyno-ledger.ts';
import type { LineSink } from '../../processes/output/line-sink.ts';
import type { DynoView, RunRequest } from '../contract.ts';
import type { Blueprint } from '../hosted-app.ts';
import { asView } from '../hosting.ts';
import { AttachedDyno, GRACE_MS, type OneOff, type OneOffParts } from './attached-dyno.ts';
import { certificates } from './certificates.ts';
import { Rendezvous } from './rendezvous.ts';

/** Ended ones can be asked for their status for so long. */
const REMEMBER_MS = 60_000;

export interface OneOffsOptions {
  /** Where the certificates are kept. */
  readonly certificates: string;
  /** Address and port to listen on; 0 for any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly ledger: () => DynoLedger;
}

export class OneOffs {
  private readonly options: OneOffsOptions;
  private readonly dynos = new Map<string, OneOff>();
  private meeting: Promise<{ rendezvous: Rendezvous; port: number; authority: string }> | undefined;
  private nextNumber = 1_000 + Math.floor(Math.random() * 9_000);

  constructor(options: OneOffsOptions) {
    this.options = options;
  }

  list(app: AppId): DynoView[] {
    return [...this.dynos.values()]
      .filter((one) => one.app === app && one.status === undefined)
      .map((one) => view(one));
  }

  /** Those with a process. */
  running(app: AppId): DynoInfo[] {
    return [...this.dynos.values()]
      .filter((one) => one.app === app && one.status === undefined)
      .map((one) => one.info());
  }

  /** Also one that has ended a short while ago, with its status. */
  find(app: AppId, name: string): DynoView | undefined {
    const one = this.dynos.get(key(app, name));
    return one && view(one);
  }

  /** @returns false if there is no such dyno */
  resize(app: AppId, name: string, columns: number, rows: number): boolean {
    const one = this.dynos.get(key(app, name));
    one?.resize(columns, rows);
    return one !== undefined;
  }

  /** Those with this name, or all (`run`). @returns how many there were */
  async stop(app: AppId, which: string): Promise<number> {
    const all = [...this.dynos.values()].filter(
      (one) => one.app === app && one.status === undefined && (which === 'run' || one.info().name === which),
    );
    await Promise.all(all.map((one) => one.stop()));
    return all.length;
  }

  /** What clients have to trust. */
  async authority(): Promise<string> {
    return (await this.meet()).authority;
  }

  /** Starts one. @returns it, with the address to attach to when that was wanted */
  async run(app: AppId, blueprint: Blueprint, request: RunRequest, lines: LineSink): Promise<DynoView> {
    const id = randomUUID();
    const name = `${request.type}.${this.nextNumber++}`;
    const meeting = request.attach ? await this.meet() : undefined;
    const place = await (blueprint.place?.(id) ?? { folder: blueprint.cwd, env: {}, remove: async () => {} });
    const base = { ...blueprint.env, ...place.env, ...request.env };
    const env = dynoEnv({ base, name, id, port: undefined, color: false });
    const parts = { app, id, name, env, place, blueprint, request, lines };
    if (!meeting) return view(this.detached(parts));
    const { rendezvous, port } = meeting;
    const attached = new AttachedDyno(parts, this.options.ledger());
    const { secret, forget } = rendezvous.expect((visitor) => attached.start(visitor));
    this.remember(attached, attached.ended.finally(forget));
    return { ...view(attached), attachPath: `:${port}/${secret}` };
  }

  async close(): Promise<void> {
    await Promise.all([...this.dynos.values()].map((one) => one.stop()));
    if (this.meeting) await this.meeting.then(({ rendezvous }) => rendezvous.close()).catch(() => {});
  }

  private detached({ app, id, name, env, place, blueprint, request, lines }: OneOffParts): OneOff {
    const { command, type } = request;
    const options = {
      name,
      type,
      command,
      prelude: blueprint.prelude,
      cwd: place.folder,
      env,
      wrap: place.wrap,
      lines,
      id,
    };
    const dyno = new Dyno({ ...options, oneOff: true, holdsAll: blueprint.place !== undefined });
    dyno.start();
    const { pid } = dyno.info();
    const ledger = this.options.ledger();
    if (pid !== undefined) ledger.add(pid, id, name);
    const one: OneOff = {
      app,
      version: blueprint.version,
      info: () => dyno.info(),
      status: undefined,
      stop: async () => void (await dyno.stop(GRACE_MS)),
      resize: () => {},
    };
    const ended = dyno.exited.then(async ({ status }) => {
      one.status = status;
      if (pid !== undefined) ledger.remove(pid);
      await place.remove();
    });
    this.remember(one, ended);
    return one;
  }

  private remember(one: OneOff, ended: Promise<void>): void {
    const { name } = one.info();
    this.dynos.set(key(one.app, name), one);
    void ended.then(() => setTimeout(() => this.dynos.delete(key(one.app, name)), REMEMBER_MS).unref());
  }

  private meet() {
    const { certificates: folder, listen } = this.options;
    this.meeting ??= (async () => {
      const own = await certificates(folder);
      const rendezvous = new Rendezvous(own);
      return {
        rendezvous,
        port: await rendezvous.listen(listen.host, listen.port),
        authority: own.authority,
      };
    })();
    // A missing program may be there at the next try.
    this.meeting.catch(() => {
      this.meeting = undefined;
    });
    return this.meeting;
  }
}

function key(app: AppId, name: string): string {
  return `${app} ${name}`;
}

function view(one: OneOff): DynoView {
  return { ...asView(one.info(), one.version), status: one.status };
}
