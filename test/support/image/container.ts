/**
 * A root of its own that is built and started as `deploy/Dockerfile` says, without a container engine: its COPY lines copy, its RUN lines run
 * with bubblewrap in a file system that has this machine's programs to read, and else only what was copied and made.
 */
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { Program, type ProgramOptions, runProgram } from '../program.ts';

export interface Instruction {
  readonly name: string;
  readonly args: string;
}

/** The stages of a Dockerfile, each from its FROM on, continued lines in one. */
export function readStages(text: string): Instruction[][] {
  const stages: Instruction[][] = [];
  const lines = text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  for (const line of lines) {
    const [, name, args] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') stages.push([]);
    stages.at(-1)?.push({ name, args });
  }
  return stages;
}

/** The words of an instruction in exec form: `["tini", "--"]`. */
export function execForm(stage: readonly Instruction[], name: string): string[] {
  const found = stage.find((one) => one.name === name)?.args ?? '[]';
  return JSON.parse(found.slice(found.indexOf('[')));
}

/** Does `.dockerignore` keep this path out of the context? The last pattern that matches says so; `!` takes it in again. */
export function isIgnored(path: string, patterns: readonly string[]): boolean {
  const last = patterns.findLast((pattern) => matches(path, pattern.replace(/^!/, '')));
  return last !== undefined && !last.startsWith('!');
}

/** A pattern means what it names and all below it. */
function matches(path: string, pattern: string): boolean {
  const source = pattern
    .replaceAll('.', '\\.')
    .replaceAll(/\*\*\/|\*/g, (stars) => (stars === '*' ? '[^/]*' : '(?:.*/)?'));
  return new RegExp(`^${source}(?:/.*)?$`).test(path);
}

export function readIgnoreFile(file: string): string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
}

export class Container {
  readonly root: string;
  /** Mounted beside what is in the root: path in the container → path on this machine, to be read. */
  private readonly shared: Readonly<Record<string, string>>;

  /** Folders in these that may be written to; nothing of it is kept. */
  private readonly scratch: readonly string[];

  constructor(root: string, shared: Readonly<Record<string, string>> = {}, scratch: readonly string[] = []) {
    this.root = root;
    this.shared = shared;
    this.scratch = scratch;
  }

  /** Where a path of the container is on this machine. */
  path(path: string): string {
    return join(this.root, path);
  }

  /** `COPY <from…> <to>`, from a folder, without what is ignored. */
  copy(
    from: string,
    args: string,
    workdir: string,
    isLeftOut: (path: string) => boolean = () => false,
  ): void {
    const words = args.split(/\s+/);
    const to = words.pop() ?? '';
    const target = to.startsWith('/') ? to : join(workdir, to);
    for (const word of words) {
      const source = join(from, word);
      if (!existsSync(source)) throw new Error(`COPY ${args}: there is no ${word}.`);
      const intoFolder = to.endsWith('/') && !lstatSync(source).isDirectory();
      const destination = this.path(intoFolder ? join(target, word.split('/').at(-1) ?? '') : target);
      mkdirSync(dirname(destination), { recursive: true });
      cpSync(source, destination, {
        recursive: true,
        verbatimSymlinks: true,
        preserveTimestamps: true,
        filter: (path) => path === from || !isLeftOut(relative(from, path)),
      });
    }
  }

  /** Runs a command of the image to its end. */
  run(command: readonly string[], options: ProgramOptions & { readonly workdir?: string } = {}) {
    return runProgram('bwrap', [...this.arguments(options.workdir), ...command], options);
  }

  /** Starts its entry point as process 1 of a namespace, as user 1000. */
  start(command: readonly string[], env: Readonly<Record<string, string>>): Program {
    const asUser = ['--reuid=1000', '--regid=1000', '--clear-groups', '--', 'bwrap'];
    const asFirst = ['--unshare-user', '--unshare-pid', '--as-pid-1'];
    return new Program('setpriv', [...asUser, ...this.arguments('/data'), ...asFirst, ...command], { env });
  }

  private arguments(workdir = '/'): string[] {
    const args = ['--die-with-parent', '--proc', '/proc', '--dev', '/dev', '--ro-bind', '/etc', '/etc'];
    for (const name of ['usr', 'bin', 'lib', 'lib64', 'sbin']) {
      if (!existsSync(`/${name}`)) continue;
      const isLink = lstatSync(`/${name}`).isSymbolicLink();
      args.push(
        ...(isLink ? ['--symlink', readlinkSync(`/${name}`)] : ['--ro-bind', `/${name}`]),
        `/${name}`,
      );
    }
    // A Node.js of its own folder, and what npm is told by the machine.
    const node = dirname(dirname(process.execPath));
    if (!node.startsWith('/usr')) args.push('--ro-bind', node, node);
    mkdirSync(this.path('/tmp'), { recursive: true });
    for (const name of readdirSync(this.root).filter((one) => one !== 'usr'))
      args.push('--bind', this.path(name), `/${name}`);
    // Of /usr only what an image has of its own.
    if (existsSync(this.path('/usr/local'))) args.push('--bind', this.path('/usr/local'), '/usr/local');
    for (const [path, from] of Object.entries(this.shared)) args.push('--ro-bind', from, path);
    for (const path of this.scratch) args.push('--tmpfs', path);
    return [...args, '--chdir', workdir];
  }
}
