/** What a build reads in a Gemfile.lock. */

export interface GemfileLock {
  /** `3.1.2`, under RUBY VERSION. */
  readonly ruby: string | undefined;
  /** `2.3.15`, under BUNDLED WITH. */
  readonly bundler: string | undefined;
  readonly gems: ReadonlySet<string>;
}

/** @param text of Gemfile.lock */
export function parseGemfileLock(text: string): GemfileLock {
  const gems = [...text.matchAll(/^ {4}([^\s(]+) \(/gm)].map(([, name]) => name);
  return {
    ruby: /^RUBY VERSION\r?\n\s+ruby (\d+\.\d+\.\d+)/m.exec(text)?.[1],
    bundler: /^BUNDLED WITH\r?\n\s+(\d\S*)/m.exec(text)?.[1],
    gems: new Set(gems),
  };
}

/** The process types of Ruby apps without a Procfile. @param files of the top folder */
export function rubyProcessTypes(
  { gems }: Pick<GemfileLock, 'gems'>,
  files: ReadonlySet<string>,
): Record<string, string> {
  const rake: Record<string, string> =
    gems.has('rake') && files.has('Rakefile') ? { rake: 'bundle exec rake' } : {};
  if (gems.has('railties'))
    return { web: 'bin/rails server -p $PORT -e $RAILS_ENV', console: 'bin/rails console', ...rake };
  if (gems.has('rack') && files.has('config.ru'))
    return { web: 'bundle exec rackup config.ru -o 0.0.0.0 -p $PORT', ...rake };
  return rake;
}
