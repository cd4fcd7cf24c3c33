/** What the steps of one build have in common: its output, its environment, and how its programs are run. */
import type { Environment } from '../../processes/config/dyno-env.ts';
import { hostEnvironment } from '../slug-files.ts';
import { BuildError, throwIfStopped } from './build-error.ts';
import { runStep, type StepResult } from './build-step.ts';

interface BuildShellOptions {
  /** The app. Programs run here. */
  readonly folder: string;
  /** Without the config vars. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly config: Readonly<Record<string, string>>;
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
}

/** How one program is run. */
interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

/** Config vars that would break the programs of a build rather than set them up. */
const NOT_FOR_BUILDS =
  /^(PATH|HOME|TMPDIR|SHELL|STACK|REQUEST_ID|SOURCE_VERSION|IFS|ENV|BASH_ENV|SHELLOPTS|BASHOPTS|GIT_.*|LD_.*|DYLD_.*|NODE_OPTIONS|PYTHONHOME|PYTHONPATH|PIP_TARGET|PIP_PREFIX|PIP_USER|GEM_HOME|GEM_PATH|RUBYOPT|RUBYLIB|GOROOT|GOPATH|GOBIN)$/;

/** Of the server: how it reaches registries from where it is. */
const NETWORK_VARIABLES = [
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'GIT_SSL_CAINFO',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'GOPROXY',
  'GONOSUMDB',
  'GOSUMDB',
];

/** The part of the server's environment that builds get: what dynos get, and how registries are reached. */
export function buildEnvironment(environment: Environment): Environment {
  const network = NETWORK_VARIABLES.filter((name) => environment[name] !== undefined);
  return {
    ...hostEnvironment(environment),
    ...Object.fromEntries(network.map((name) => [name, environment[name]])),
  };
}

/** One for a build. Lines come out as Heroku's builds have them: `-----> ` begins a step, ` !     ` a warning. */
export class BuildShell {
  readonly folder: string;
  readonly config: Readonly<Record<string, string>>;
  private readonly options: BuildShellOptions;
  /** What buildpacks have set for those after them. */
  private readonly exported: Record<string, string> = {};

  constructor(options: BuildShellOptions) {
    this.options = options;
    this.folder = options.folder;
    this.config = options.config;
  }

  /** Aborted when the build is to end before it is done. */
  get signal(): AbortSignal {
    return this.options.signal;
  }

  /** The environment without the config vars: what buildpacks that are fetched get. */
  get bareEnv(): Record<string, string | undefined> {
    return { ...this.options.env, ...this.exported };
  }

  /** The environment of the built-in buildpacks' programs. */
  get env(): Record<string, string | undefined> {
    const config = Object.entries(this.config).filter(([name]) => !NOT_FOR_BUILDS.test(name));
    return { ...this.options.env, ...Object.fromEntries(config), ...this.exported };
  }

  /** Sets variables for the rest of the build. */
  export(variables: Readonly<Record<string, string>>): void {
    Object.assign(this.exported, variables);
  }

  /** Lets programs of this folder be found first. */
  prependPath(folder: string): void {
    this.export({ PATH: `${folder}:${this.bareEnv.PATH ?? '/usr/bin:/bin'}` });
  }

  /** `-----> Installing packages` */
  heading(text: string): void {
    this.options.onLine(`-----> ${text}`);
  }

  /** A line of a step, indented below its `----->`. */
  line(text: string): void {
    this.options.onLine(`       ${text}`);
  }

  /** A line that is marked with ` !     `. */
  warn(text: string): void {
    this.options.onLine(` !     ${text}`);
  }

  /** A line as it is. */
  raw(text: string): void {
    this.options.onLine(text);
  }

  /**
   * Runs a program, and shows what it prints.
   * @param onLine sees each line too
   * @returns its status
   */
  async run(
    program: string,
    args: readonly string[],
    options: RunOptions = {},
    onLine: (line: string) => void = () => {},
  ): Promise<number> {
    const show = (line: string): void => {
      onLine(line);
      this.line(line);
    };
    const { status } = await runStep({ ...this.step(program, args, options), onLine: show });
    this.throwIfAborted();
    return status;
  }

  /** Runs a program that has to succeed. @throws BuildError with `failure` and its status */
  async runOrFail(
    failure: string,
    program: string,
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<void> {
    const status = await this.run(program, args, options);
    if (status !== 0) throw new BuildError(`${failure} (status ${status})`);
  }

  /** Runs a program for what it prints; its stderr is left out. */
  async capture(program: string, args: readonly string[], options: RunOptions = {}): Promise<StepResult> {
    const result = await runStep({
      ...this.step(program, args, options),
      capturesStdout: true,
      onLine: () => {},
    });
    this.throwIfAborted();
    return result;
  }

  /** @throws BuildError when the build has been stopped */
  throwIfAborted(): void {
    throwIfStopped(this.signal);
  }

  private step(program: string, args: readonly string[], { env, cwd }: RunOptions) {
    const { folder, signal } = this.options;
    return { program, args, cwd: cwd ?? folder, env: { ...this.env, ...env }, signal };
  }
}
