/** What the API uses: the dynos and builds of apps, as interfaces, and the values that they return. */
import type { AppId } from '../../logs/store/contract.ts';
import type { AppRecord } from '../records/app-registry.ts';
import type { Build } from '../records/build-record.ts';
import type { FormationChange } from '../records/formation-record.ts';
import type { ReleaseChange, ReleaseRecord } from '../records/release-record.ts';

/** One dyno, as the API shows it. */
export interface DynoSummary {
  readonly id: string;
  /** `web.1` */
  readonly name: string;
  readonly type: string;
  readonly command: string;
  readonly state: string;
  /** The version of its release. */
  readonly version: number;
  /** Exit status of a one-off dyno that has exited. */
  readonly exitStatus?: number;
  /** `:port/secret` of a one-off dyno that waits for its client to attach. */
  readonly attachPath?: string;
  /** Of a one-off dyno that has a size of its own. */
  readonly size?: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A one-off dyno to run. */
export interface OneOffDynoRequest {
  /** Its first word may be a process type, which stands for that type's command. */
  readonly command: string;
  /** Of the type `run` it is named `run.1234`. */
  readonly type: string;
  /** Will a client attach to its terminal? */
  readonly attach: boolean;
  /** Undefined: no terminal, only pipes. */
  readonly terminalSize: { readonly columns: number; readonly rows: number } | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Undefined: the size of its type. */
  readonly size?: string;
}

/** The desired quantity of a process type. */
export interface FormationEntry {
  readonly type: string;
  readonly quantity: number;
  readonly command: string;
}

/** Runs the dynos of apps. */
export interface DynoRunner {
  dynos(app: AppId): readonly DynoSummary[];
  formation(app: AppId): readonly FormationEntry[];
  /** How many dynos of all apps are in which state. */
  countByState(): ReadonlyMap<string, number>;
  /** Is it a local app, which `tailrace start` runs in its own folder? */
  isLocalApp(app: AppId): boolean;
  /**
   * Changes the quantities and sizes of some process types, all of it or nothing.
   * @param decide from those that are wanted when earlier changes are made; what it throws refuses it
   */
  scale(app: AppId, decide: (current: readonly FormationEntry[]) => FormationChange): Promise<void>;
  /** Restarts a dyno, all of a process type, or all. */
  restart(app: AppId, which: string | undefined): Promise<void>;
  /** Stops a dyno, or all of a process type. */
  stop(app: AppId, which: string): Promise<void>;
  /** Starts a one-off dyno. @throws TailraceError `conflict` when the app runs nothing here */
  run(app: AppRecord, request: OneOffDynoRequest): Promise<DynoSummary>;
  /**
   * Runs a command in a dyno that is there (its name, id, or type), which a client will attach to.
   * @throws TailraceError `not_found`, `conflict` when it doesn't run
   */
  runInside(app: AppRecord, dyno: string, request: OneOffDynoRequest): Promise<DynoSummary>;
  /**
   * Expects a client that sees what a dyno says, and writes to it.
   * @throws TailraceError, as {@link runInside} does
   */
  attach(app: AppRecord, dyno: string): Promise<{ readonly name: string; readonly attachPath: string }>;
  /** A one-off dyno, also one that has just exited. */
  oneOff(app: AppId, name: string): DynoSummary | undefined;
  /** @returns false if there is no such dyno */
  resize(app: AppId, name: string, columns: number, rows: number): boolean;
  /** PEM of the certificate authority that clients of attached dynos have to trust. */
  caCertificate(): Promise<string>;
  /** Rolls out the app's current release. Resolves when that has begun. */
  deployRelease(app: AppRecord): Promise<void>;
  /** The app's name, domains or maintenance have changed: resolves when the HTTP router knows. */
  updateRoute(app: AppId): Promise<void>;
  /** Stops all dynos and add-ons of an app that is to be destroyed, and deletes its slugs. */
  deleteApp(app: AppRecord): Promise<void>;
}

/** How a release is made. */
export interface ReleaseOptions {
  /** Its release command is about to run. */
  readonly onPhase?: () => void;
  /** A line that the release command wrote. */
  readonly onLine?: (line: string) => void;
  /** Its release command doesn't run: the change has happened already, and can't be refused. */
  readonly skipsPhase?: boolean;
  /** It isn't rolled out, since the app will be started anyway. */
  readonly isQuiet?: boolean;
}

/** Makes releases of apps. */
export interface ReleaseMaker {
  /**
   * Makes a release, and rolls it out: all of the change or none of it, behind the changes of the same app that came before. If its
   * slug has a release command, that runs first, which may take long.
   * @param change what is different from the current release; may be called again; undefined: nothing to do
   * @returns the release; the current one if there was nothing to do
   * @throws TailraceError `release_failed` when the release command fails: then nothing is changed; what `change` throws
   */
  release(
    app: AppRecord,
    change: (current: ReleaseRecord) => ReleaseChange | undefined,
    options?: ReleaseOptions,
  ): Promise<ReleaseRecord>;
  /** Makes a release that runs what an earlier one ran. @throws TailraceError, as {@link release} does */
  rollBack(app: AppRecord, to: ReleaseRecord): Promise<ReleaseRecord>;
  /**
   * What a release command says, from its beginning, until it ends.
   * @param secret of its release
   * @returns undefined if it doesn't run here
   */
  output(secret: string): AsyncGenerator<string> | undefined;
}

/** The builds of apps. */
export interface Builds {
  /** The latest builds of an app, the oldest first. */
  list(app: AppId): Promise<readonly Build[]>;
  /** Ends the build of an app that is to be destroyed, and forgets all of its builds. */
  deleteApp(app: AppId): Promise<void>;
  /** Empties what buildpacks keep from build to build. @throws TailraceError `conflict` while a build of the app runs */
  purgeCache(app: AppRecord): Promise<void>;
  /**
   * Begins to build an archive, which is removed afterwards.
   * @throws TailraceError `conflict` while another build of the app runs
   */
  begin(app: AppRecord, source: string, commit: string): Promise<Build>;
}
