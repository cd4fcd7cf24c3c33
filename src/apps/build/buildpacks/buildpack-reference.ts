/** What people name buildpacks by: `heroku/nodejs`, a git repository, an archive, a folder of the server. */
import { isAbsolute } from 'node:path';
import { TailraceError } from '../../../common/errors.ts';
import { redactUrl } from '../../../logs/drains/options/drain-record.ts';

export type BuildpackReference =
  | { readonly kind: 'built-in'; readonly id: string }
  /** @param ref a branch, tag or commit; '' for the default branch */
  | { readonly kind: 'git'; readonly id: string; readonly url: string; readonly ref: string }
  | { readonly kind: 'archive'; readonly id: string; readonly url: string }
  | { readonly kind: 'folder'; readonly id: string; readonly path: string };

/** Other names of the built-in buildpacks. */
const BUILT_IN_NAMES: Readonly<Record<string, string>> = {
  'heroku/ruby': 'heroku/ruby',
  ruby: 'heroku/ruby',
  'heroku/nodejs': 'heroku/nodejs',
  nodejs: 'heroku/nodejs',
  node: 'heroku/nodejs',
  'heroku/python': 'heroku/python',
  python: 'heroku/python',
  'heroku/go': 'heroku/go',
  go: 'heroku/go',
  'tailrace/static': 'tailrace/static',
  'heroku-community/static': 'tailrace/static',
  static: 'tailrace/static',
  'tailrace/procfile': 'tailrace/procfile',
  procfile: 'tailrace/procfile',
};
const REFERENCE_LENGTH_MAX = 2_048;
const REGISTRY = 'https://buildpack-registry.s3.amazonaws.com/buildpacks/';
/** How Heroku's registry and its command write names. */
const REGISTERED =
  /^(?:urn:buildpack:|https:\/\/(?:buildpack-registry|codon-buildpacks)\.s3\.amazonaws\.com\/buildpacks\/)([\w-]+\/[\w-]+)(?:\.tgz)?$/;
const WHAT_IT_MAY_BE =
  'name one as heroku/nodejs, https://host/repository.git#branch, https://host/archive.tgz, or by its folder on the server';

/** @throws TailraceError `invalid_params` */
export function parseBuildpackReference(typed: string): BuildpackReference {
  const text = typed.trim();
  const invalid = (reason: string) =>
    new TailraceError('invalid_params', `"${redactUrl(text.slice(0, 200))}" ${reason}: ${WHAT_IT_MAY_BE}.`);
  if (text === '' || text.length > REFERENCE_LENGTH_MAX || /[\u0000-\u0020\u007f]/.test(text))
    throw invalid('is no buildpack');
  const name = REGISTERED.exec(text)?.[1] ?? text;
  const builtIn = Object.hasOwn(BUILT_IN_NAMES, name) ? BUILT_IN_NAMES[name] : undefined;
  if (builtIn !== undefined) return { kind: 'built-in', id: builtIn };
  if (/^[a-z0-9][\w-]*\/[\w-]+$/i.test(name))
    return { kind: 'archive', id: name, url: `${REGISTRY}${name}.tgz` };
  if (isAbsolute(text)) return { kind: 'folder', id: text, path: text };
  const [address, ref = ''] = text.split('#', 2);
  if (ref !== '' && !/^[\w][\w./+-]*$/.test(ref)) throw invalid('has no branch, tag or commit after the #');
  // The short form of ssh: git@github.com:owner/repository.git
  if (/^[\w.-]+@[\w.-]+:[\w~./-]+$/.test(address)) return { kind: 'git', id: text, url: address, ref };
  const scheme = /^([a-z][a-z+.-]*):\/\//i.exec(address)?.[1].toLowerCase();
  if (scheme === 'http' || scheme === 'git')
    throw invalid('is fetched without encryption, so that anybody on the way could change it; use https');
  if ((scheme !== 'https' && scheme !== 'ssh' && scheme !== 'file') || !URL.canParse(address))
    throw invalid('is no buildpack');
  const isArchive = scheme !== 'ssh' && /\.(tgz|tar\.gz)$/.test(new URL(address).pathname);
  return isArchive
    ? { kind: 'archive', id: text, url: address }
    : { kind: 'git', id: text, url: address, ref };
}
