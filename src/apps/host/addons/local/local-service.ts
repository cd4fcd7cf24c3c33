/** A service that runs on this machine: what an add-on of it is made from. One file a service, in ../services. */
import type { ProcessUser } from '../../../processes/dyno-process.ts';
import type { AddonPlan } from '../catalog/catalog-entry.ts';
import type { AddonFacts, AddonInfoRow, AddonPage } from '../provider.ts';

/** What the record of a local add-on keeps, as its `resource`. */
export interface LocalResource {
  readonly port: number;
  readonly password: string;
  /** Of its process: `redis.1` is the first of its app. */
  readonly number: number;
  /** A second one, for the page of a service that {@link LocalServiceBasics.hasPagePort}. */
  readonly pagePort?: number;
}

/** A local add-on, as its service sees it. */
export interface LocalInstance extends LocalResource {
  readonly id: string;
  /** The add-on's name. */
  readonly name: string;
  /** Its own folder, which survives restarts and is deleted with it; mode 0700. */
  readonly folder: string;
  readonly plan: AddonPlan;
  /** Where browsers find its page, if it has one: for links in what it sends. */
  readonly pageUrl?: string;
}

/** Writes what an add-on has to say to its app's stream: as `app[redis.1]`. */
export interface AddonLines {
  /** @param priority facility and severity (RFC 5424 section 6.2.1); left out: that of an app's line */
  write(text: string, priority?: number): void;
}

interface LocalServiceBasics {
  /** Its name in the catalog. */
  readonly service: string;
  /** Why it can't run here, and what to install: one sentence. Undefined: it can. */
  missing?(): string | undefined;
  /** Done once, before the first start: a database is created. @throws TailraceError with what to do */
  initialize?(instance: LocalInstance): Promise<void>;
  /**
   * Looks whether another plan holds what it has.
   * @throws TailraceError `invalid_params` with what to do
   */
  checkPlan?(instance: LocalInstance, plan: AddonPlan): Promise<void>;
  /** What its config vars are made of. Hosts are named `localhost`: Heroku's CLI leaves TLS out for that name alone. */
  facts(instance: LocalInstance): AddonFacts;
  /** Where it takes the app's lines, as an HTTPS drain sends them, with the app's name for `{app}`; left out: it wants none. */
  logDrainUrl?(instance: LocalInstance): string;
  /** What is said to the user who created it. */
  message?(instance: LocalInstance): string;
  /** Rows of `addons:info` and of `pg:info` or `redis:info`. @throws when it can't be asked */
  info?(instance: LocalInstance): Promise<readonly AddonInfoRow[]>;
  /**
   * What it is like now, written to the stream each minute as `source=DATABASE addon=NAME sample#name=value …`.
   * @throws TailraceError when it can't be asked, which is said in the stream, once until it answers again
   */
  samples?(instance: LocalInstance): Promise<Readonly<Record<string, string | number>>>;
  /** Does its page have a port of its own? Left out: it is on the port that apps talk to, if there is one at all. */
  readonly hasPagePort?: boolean;
  /** Where this server finds its page, if it has one: browsers see it below `/addons/ID/page/`, and never the key. */
  page?(instance: LocalInstance): AddonPage | undefined;
}

/** A program that listens on the instance's port: started, started again when it ends, and stopped with a signal. */
export interface ProcessService extends LocalServiceBasics {
  readonly kind: 'process';
  /** Files for its folder, written before every start. Passwords belong there: every user can read command lines. */
  files(instance: LocalInstance): Readonly<Record<string, string>>;
  /** The shell command that runs it in its folder; with `exec`, so that signals arrive. */
  command(instance: LocalInstance): string | Promise<string>;
  /** Looks at the folder before every start. @throws TailraceError when it must not be started on these data, with what to do */
  checkData?(instance: LocalInstance): Promise<void>;
  /** Makes what isn't a plain file, before every start, after `files`. @throws when it can't: tried again later */
  prepare?(instance: LocalInstance): Promise<void>;
  /**
   * Done before every start, right after {@link checkData}: what a former one left running on the same data is ended, so that its port is free.
   * @throws TailraceError when it can't be started, with what to do
   */
  prepareData?(instance: LocalInstance, lines: AddonLines): Promise<void>;
  /** Resolves when it answers, after its port accepts connections, or when that has lasted too long. Never rejects. */
  waitUntilReady?(instance: LocalInstance, signal: AbortSignal): Promise<void>;
  /** Who runs it; undefined, or left out: who runs this server. What such a user is to read or write is given to it by the service. */
  user?(): Promise<ProcessUser | undefined>;
  /** How its first process alone is asked to end, which then ends the others. Left out: SIGTERM to all of them. */
  readonly stopSignal?: NodeJS.Signals;
  /** Is it part of this package, and so of its version? */
  readonly isOwnProgram?: boolean;
  /** How long it may take to end. Left out: 10 seconds. */
  readonly stopGraceMs?: number;
  /**
   * Takes the lines that it writes, to say their severity and to join those that are one message. Made anew for every start; what it still
   * holds when the program has ended is written by `end`. Left out: each line is a message of its own.
   */
  readLines?(lines: AddonLines): { line(text: string): void; end(): void };
}

/** A service within the server's own process. */
export interface EmbeddedService extends LocalServiceBasics {
  readonly kind: 'embedded';
  /** Starts it on the instance's port, on loopback. */
  start(instance: LocalInstance, lines: AddonLines): Promise<EmbeddedInstance>;
}

export interface EmbeddedInstance {
  close(): Promise<void>;
}

export type LocalService = ProcessService | EmbeddedService;
