/**
 * Whose the lines of one sender are, for the WebAssembly fast path: the same as {@link SourceResolver} says, by what that depends on. What
 * isn't sure, or isn't usual, is left to it.
 */
import { type LogSource, type TokenLookup, WILDCARD_SOURCE } from '../router/token-cache.ts';
import { maskTokensInText } from '../syslog/fields/token-text.ts';
import {
  type KnownOwner,
  LineForm,
  newScope,
  OwnerKey,
  type OwnerScopes,
} from '../syslog/wasm/wasm-codec.ts';
import { resolveToken, type SourceResolver } from './source-resolver.ts';
import { sourceForAppName } from './wildcard-token.ts';

const LEFT_ALONE: KnownOwner<LogSource> = { form: LineForm.leftAlone, owner: undefined, dynoAt: 0 };
/** A name that is stored as it is. */
const CLEAN_NAME = /^[\x21-\x7e]{1,128}$/;
const NIL = '-';

/** Scopes of tokens and of wildcard tokens' names, for all senders. */
const tokenScopes = new WeakMap<TokenLookup, { version: number; scope: number }>();
const nameScopes = new WeakMap<LogSource, number>();

export class KnownOwners implements OwnerScopes {
  private readonly router: TokenLookup;
  private readonly resolver: SourceResolver | undefined;
  /** The wildcard token that the sender authenticated with. */
  private readonly wildcard: LogSource | undefined;
  private tokensVersion: number | undefined;
  tokens = 0;
  readonly names: number;
  rules = 0;

  constructor(
    router: TokenLookup,
    resolver: SourceResolver | undefined,
    authenticated: LogSource | undefined,
  ) {
    this.router = router;
    this.resolver = resolver;
    this.wildcard = authenticated?.source === WILDCARD_SOURCE ? authenticated : undefined;
    this.names = this.wildcard ? scopeOfNames(this.wildcard) : 0;
  }

  /** Tokens or rules may have changed: what was known by them isn't any more, then. */
  refresh(): void {
    const { router, resolver } = this;
    if (this.tokensVersion !== router.tokensVersion) {
      this.tokensVersion = router.tokensVersion;
      this.tokens = scopeOfTokens(router);
    }
    if (resolver) this.rules = resolver.scope;
  }

  /** Whose the lines are that have this tag, host and token in structured data ('' for what they don't have). */
  find(key: OwnerKey, tag: string, host: string, token: string): KnownOwner<LogSource> | undefined {
    if (key === OwnerKey.name) return this.wildcard && asSent(sourceForAppName(this.wildcard, tag));
    if (key === OwnerKey.token) return this.byToken(tag);
    const { resolver } = this;
    if (!resolver) return LEFT_ALONE;
    const resolution =
      key === OwnerKey.data ? resolveToken(this.router, token) : resolver.resolveByRule(tag, host || NIL);
    // A token that is unknown may be known soon.
    if (resolution === 'unknown') return key === OwnerKey.rule ? LEFT_ALONE : undefined;
    if ('tokenToLoad' in resolution) return undefined;
    const { logSource } = resolution;
    if (logSource.source === WILDCARD_SOURCE || !isStoredAsItIs(tag)) return LEFT_ALONE;
    const isSource = tag === NIL || tag === logSource.source;
    return {
      form: isSource ? LineForm.withoutProgram : LineForm.withProgram,
      owner: logSource,
      dynoAt: 0,
    };
  }

  /** `TOKEN`, or `TOKEN/web.1`. */
  private byToken(tag: string): KnownOwner<LogSource> | undefined {
    const slash = this.resolver ? tag.indexOf('/') : -1;
    const resolution = resolveToken(this.router, slash === -1 ? tag : tag.slice(0, slash));
    if (resolution === 'unknown' || 'tokenToLoad' in resolution) return undefined;
    const owner = sourceForAppName(resolution.logSource, '');
    if (slash === -1) return asSent(owner);
    const dyno = tag.slice(slash + 1);
    if (dyno === NIL || !isStoredAsItIs(dyno)) return LEFT_ALONE;
    return { form: LineForm.withDyno, owner, dynoAt: slash + 1 };
  }
}

function asSent(owner: LogSource): KnownOwner<LogSource> {
  return { form: LineForm.asSent, owner, dynoAt: 0 };
}

function isStoredAsItIs(name: string): boolean {
  return CLEAN_NAME.test(name) && maskTokensInText(name) === name;
}

function scopeOfTokens(router: TokenLookup): number {
  const { tokensVersion: version } = router;
  const known = tokenScopes.get(router);
  if (known?.version === version) return known.scope;
  const scope = newScope();
  tokenScopes.set(router, { version, scope });
  return scope;
}

function scopeOfNames(wildcard: LogSource): number {
  const scope = nameScopes.get(wildcard) ?? newScope();
  nameScopes.set(wildcard, scope);
  return scope;
}
