/** One process that may answer requests, as the proxy sees it. */
export type Upstream = {
  /** `web.1`: printed as `dyno=` in router lines. */
  readonly name: string;
  /** Where it listens on 127.0.0.1. */
  readonly port: number;
  /** `up` gets requests; when every one is `crashed` the answer is H10; any other state is worth waiting for. */
  readonly state: string;
};

/** Addresses of pages that an app wants to be shown instead of ours. */
export type ErrorPageUrls = {
  /** When something fails that is not the client's fault. */
  readonly error?: string;
  /** While it is under maintenance. */
  readonly maintenance?: string;
};

/** An app, as the proxy sees it. Read on every request, so its functions should be cheap. */
export type RoutedApp = {
  readonly name: string;
  /** True: every request is answered with H80. */
  readonly maintenance: boolean;
  readonly errorPages: ErrorPageUrls;
  /** All web dynos, in any state. */
  webDynos(): readonly Upstream[];
  /** How many web dynos are wanted; 0 means H14. */
  desiredWebDynos(): number;
  /** Calls back after any change of `webDynos`, `formationCount` or `maintenance`; returns how to stop that. */
  onChange(changed: () => void): () => void;
  /** Takes the text of one router line, without a newline. */
  log(message: string): void;
};

/** Knows which app a host name belongs to. */
export type AppLookup = {
  /** `host` is in lower case, without a port; empty when an HTTP/1.0 client sent none. */
  appForHost(host: string): RoutedApp | undefined;
};
