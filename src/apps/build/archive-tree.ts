/**
 * What an archive's members become on the disk: decided before anything is written, without touching it. Files are only ever
 * below real directories. Symbolic links come last and are never followed, so that it doesn't matter where they lead.
 */
import { TarError } from '../../common/tar/tar-header.ts';
import { readable, type TarMember } from '../../common/tar/tar-reader.ts';

/** What is to be done for a member. Paths are relative, one character a byte. */
export interface Placement {
  readonly path: string;
  /** To be made first, in this order. */
  readonly newDirectories: readonly string[];
  /** A file of that path was written before, and is to be removed first. */
  readonly replaces: boolean;
  /** A file: with the member's body, or as another name of `source`. Otherwise nothing more for now. */
  readonly write: 'body' | 'hard link' | undefined;
  readonly source: string;
}

export interface SymbolicLink {
  readonly path: string;
  readonly target: string;
  readonly mtimeMs: number;
}

interface TreeNode {
  kind: 'directory' | 'file' | 'link';
  readonly name: string;
  readonly parent: TreeNode | undefined;
  /** A directory's. */
  readonly children: Map<string, TreeNode> | undefined;
  /** A link's. */
  target: string;
  mtimeMs: number;
}

/** Of all links together: they are kept until the end. */
const LINK_BYTES_MAX = 16 * 1_048_576;

export class ArchiveTree {
  private readonly root = createNode('directory', '', undefined);
  private readonly entryCountMax: number;
  private readonly linkNodes: TreeNode[] = [];
  private linkBytes = 0;
  private entryCount = 0;
  private memberCount = 0;

  /** @param entryCountMax files, directories and links, with directories that are not in the archive themselves */
  constructor(entryCountMax: number) {
    this.entryCountMax = entryCountMax;
  }

  /** Nothing has been added, or nothing but the top directory. */
  get isEmpty(): boolean {
    return this.entryCount === 0;
  }

  /** @throws TarError when it must not be written */
  add(member: TarMember): Placement {
    this.memberCount += 1;
    this.limitEntries(this.memberCount);
    const names = namesWithin(member.path);
    if (!names) throw new TarError(`The archive has a file outside of its folder: ${readable(member.path)}`);
    const newDirectories: string[] = [];
    let parent = this.root;
    const directoryCount = member.type === 'directory' ? names.length : names.length - 1;
    for (const name of directoryCount > 0 ? names.slice(0, directoryCount) : []) {
      let node = parent.children?.get(name);
      if (!node) {
        node = this.create('directory', name, parent);
        newDirectories.push(pathOf(node));
      } else if (node.kind === 'link') {
        throw new TarError(`${readable(member.path)} is behind the link ${readable(pathOf(node))}`);
      } else if (node.kind === 'file') {
        throw notBoth(node);
      }
      parent = node;
    }
    const path = names.join('/');
    if (member.type === 'directory')
      return { path, newDirectories, replaces: false, write: undefined, source: '' };
    if (names.length === 0) throw notBoth(this.root);
    const name = names[names.length - 1];
    const source = member.type === 'hard link' ? this.findSource(member) : undefined;
    let node = parent.children?.get(name);
    if (node?.kind === 'directory') throw notBoth(node);
    const replaces = node?.kind === 'file' && node !== source;
    node ??= this.create('file', name, parent);
    const placement = { path, newDirectories, replaces, source: '' };
    // Another name of itself.
    if (node === source) return { ...placement, write: undefined };
    const target = member.type === 'symbolic link' ? member.linkPath : source?.target;
    if (target === undefined || source?.kind === 'file') {
      node.kind = 'file';
      if (source) return { ...placement, write: 'hard link', source: pathOf(source) };
      return { ...placement, write: 'body' };
    }
    this.becomeLink(node, target, member.mtimeMs);
    return { ...placement, write: undefined };
  }

  /** The links, which are to be made when everything else is there. */
  links(): SymbolicLink[] {
    const links = this.linkNodes.filter(({ kind }) => kind === 'link');
    return [...new Set(links)].map((node) => ({
      path: pathOf(node),
      target: node.target,
      mtimeMs: node.mtimeMs,
    }));
  }

  private becomeLink(node: TreeNode, target: string, mtimeMs: number): void {
    this.linkBytes += target.length;
    if (this.linkBytes > LINK_BYTES_MAX) throw new TarError('There are too many links in the archive.');
    if (target.includes('\0') || target === '')
      throw new TarError(`${readable(pathOf(node))} is a link to nothing.`);
    node.kind = 'link';
    node.target = target;
    node.mtimeMs = mtimeMs;
    this.linkNodes.push(node);
  }

  /** What a hard link is another name of: a file or a symbolic link that came before it. */
  private findSource({ path, linkPath }: TarMember): TreeNode {
    const names = namesWithin(linkPath);
    if (!names) throw outsideLink(path, linkPath);
    let node: TreeNode | undefined = this.root;
    for (const name of names) node = node?.children?.get(name);
    if (!node || node.kind === 'directory')
      throw new TarError(`${readable(path)} is a link to ${readable(linkPath)}, which is no file before it.`);
    return node;
  }

  private create(kind: TreeNode['kind'], name: string, parent: TreeNode): TreeNode {
    this.entryCount += 1;
    this.limitEntries(this.entryCount);
    const node = createNode(kind, name, parent);
    parent.children?.set(name, node);
    return node;
  }

  private limitEntries(count: number): void {
    if (count > this.entryCountMax)
      throw new TarError(`There are more than ${this.entryCountMax} files in the archive.`);
  }
}

function createNode(kind: TreeNode['kind'], name: string, parent: TreeNode | undefined): TreeNode {
  const children = kind === 'directory' ? new Map<string, TreeNode>() : undefined;
  return { kind, name, parent, children, target: '', mtimeMs: 0 };
}

/** The names on the way, without `.` and `..`; undefined when it leads out of the folder. */
function namesWithin(path: string): string[] | undefined {
  if (path.startsWith('/') || path.includes('\0')) return undefined;
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name !== '..') names.push(name);
    else if (names.pop() === undefined) return undefined;
  }
  return names;
}

function pathOf(node: TreeNode): string {
  const names: string[] = [];
  for (let at: TreeNode | undefined = node; at?.parent; at = at.parent) names.push(at.name);
  return names.reverse().join('/');
}

function notBoth(node: TreeNode): TarError {
  return new TarError(`${readable(pathOf(node)) || '.'} is both a file and a folder in the archive.`);
}

function outsideLink(path: string, target: string): TarError {
  return new TarError(`${readable(path)} is a link out of the folder, to ${readable(target)}`);
}
