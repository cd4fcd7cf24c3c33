/** One process that may serve requests, as the HTTP router sees it. */
export type Upstream = {
  /** `web.1`: printed as `dyno=` in router lines. */
  readonly name: string;
  /** Where it listens on 127.0.0.1. */
  readonly port: number;
  /** `up` gets requests; when every one is `crashed` or `down` the response is H10; any other state is worth waiting for. */
  readonly state: string;
};

/** URLs of an app's own error pages. */
export type ErrorPageUrls = {
  /** When something fails that is not the client's fault. */
  readonly error?: string;
  /** While it is under maintenance. */
  readonly maintenance?: string;
};

/** An app, as the HTTP router sees it. Read on every request, so its functions should be cheap. */
export type RoutedApp = {
  readonly name: string;
  /** Nothing was deployed to it so far: H81. */
  readonly isBlank: boolean;
  /** True: the response to every request is H80. */
  readonly maintenance: boolean;
  readonly errorPages: ErrorPageUrls;
  /** All web dynos, in any state. */
  webDynos(): readonly Upstream[];
  /** How many web dynos are wanted; 0 means H14. */
  desiredWebDynos(): number;
  /** Calls back after any change of `webDynos`, `desiredWebDynos` or `maintenance`. @returns how to unsubscribe */
  onChange(changed: () => void): () => void;
  /** Logs one router line, without a newline. */
  log(message: string): void;
};

/** Finds the app that a host name belongs to. */
export type AppLookup = {
  /** `host` is in lower case, without a port; empty when an HTTP/1.0 client sent none. */
  appForHost(host: string): RoutedApp | undefined;
};
