/** What whoever runs the apps' dynos, builds and add-ons offers, and what one sees of them. */
import type { AppId } from '../../logs/store/contract.ts';
import type { AppRecord } from '../records/app-registry.ts';
import type { Build } from '../records/build-record.ts';

/** One dyno, as the API shows it. */
export interface DynoSummary {
  readonly id: string;
  /** `web.1` */
  readonly name: string;
  readonly type: string;
  readonly command: string;
  readonly state: string;
  /** Of its release. */
  readonly version: number;
  /** Exit status of a one-off dyno that has ended. */
  readonly exitStatus?: number;
  /** `:port/secret` of a one-off dyno that waits for its client. */
  readonly attachPath?: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A one-off dyno that somebody wants. */
export interface OneOffDynoRequest {
  readonly command: string;
  /** `run`: it is called `run.1234`. */
  readonly type: string;
  /** Will a client come for its terminal? */
  readonly attach: boolean;
  /** Undefined: no terminal, only pipes. */
  readonly terminalSize: { readonly columns: number; readonly rows: number } | undefined;
  readonly env: Readonly<Record<string, string>>;
}

/** How many dynos of a process type are wanted. */
export interface FormationEntry {
  readonly type: string;
  readonly quantity: number;
  readonly command: string;
}

/** What the API asks of whatever runs the apps' dynos. */
export interface DynoRunner {
  dynos(app: AppId): readonly DynoSummary[];
  formation(app: AppId): readonly FormationEntry[];
  /** Is it run in its own folder, by `tailrace start`? */
  isLocalApp(app: AppId): boolean;
  /** Changes how many are wanted of some process types, and their sizes, all of it or nothing. */
  scale(
    app: AppId,
    counts: Readonly<Record<string, number>>,
    sizes: Readonly<Record<string, string>>,
  ): Promise<void>;
  /** Restarts a dyno, all of a process type, or all. */
  restart(app: AppId, which: string | undefined): Promise<void>;
  /** Stops a dyno, or all of a process type. */
  stop(app: AppId, which: string): Promise<void>;
  /** Starts a one-off dyno. @throws TailraceError `conflict` when the app runs nothing here */
  run(app: AppRecord, request: OneOffDynoRequest): Promise<DynoSummary>;
  /** A one-off dyno, also one that has just ended. */
  oneOff(app: AppId, name: string): DynoSummary | undefined;
  /** @returns false if there is no such dyno */
  resize(app: AppId, name: string, columns: number, rows: number): boolean;
  /** PEM: what clients of attached dynos have to trust. */
  caCertificate(): Promise<string>;
  /** The app has a new release: its dynos become those of it. Resolves when that has begun. */
  deployRelease(app: AppRecord): Promise<void>;
  /** The app's name, domains or maintenance have changed. */
  updateRoute(app: AppRecord): Promise<void>;
  /** The app is to be destroyed: stops what runs, removes its slugs. */
  deleteApp(app: AppRecord): Promise<void>;
}

/** The builds of apps. */
export interface Builds {
  /** The latest of an app, the oldest first. */
  list(app: AppId): readonly Build[];
  /**
   * Begins to build an archive, which is removed in the end.
   * @throws TailraceError `conflict` while another build of the app runs
   */
  begin(app: AppRecord, source: string, commit: string): Build;
}

/** Add-ons: programs on this machine that serve one app. */
export interface AddonServices {
  /** Those whose programs are installed. */
  available(): readonly { readonly name: string; readonly description: string }[];
  /** The service's name for what was typed: `redis`, `redis:dev`, `heroku-redis`. @throws TailraceError `not_found` */
  resolveService(typed: string): string;
  /** Starts one. @returns the config vars it gives to the app */
  create(app: AppId, service: string, id: string): Promise<Readonly<Record<string, string>>>;
  /** Ends it, and removes what it holds. */
  destroy(app: AppId, id: string): Promise<void>;
}
