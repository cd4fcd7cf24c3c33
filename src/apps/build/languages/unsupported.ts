/** Languages that aren't built here: an app in one of them is refused rather than started without its programs. */

interface UnsupportedLanguage {
  readonly name: string;
  /** Of any of these files in the top folder. `*.csproj` is an ending. */
  readonly files: readonly string[];
  /** A buildpack for it. */
  readonly buildpack: string;
}

/** In Heroku's order of detection. */
const UNSUPPORTED: readonly UnsupportedLanguage[] = [
  { name: 'Clojure', files: ['project.clj', 'deps.edn'], buildpack: 'heroku/clojure' },
  {
    name: 'Java',
    files: ['pom.xml', 'pom.atom', 'pom.clj', 'pom.groovy', 'pom.rb', 'pom.scala', 'pom.yaml', 'pom.yml'],
    buildpack: 'heroku/java',
  },
  {
    name: 'Java or Kotlin (Gradle)',
    files: ['gradlew', 'build.gradle', 'build.gradle.kts', 'settings.gradle', 'settings.gradle.kts'],
    buildpack: 'heroku/gradle',
  },
  { name: 'Scala', files: ['build.sbt'], buildpack: 'heroku/scala' },
  { name: 'PHP', files: ['composer.json', 'composer.lock', 'index.php'], buildpack: 'heroku/php' },
  {
    name: '.NET',
    files: ['*.sln', '*.slnx', '*.csproj', '*.fsproj', '*.vbproj'],
    buildpack: 'heroku/dotnet',
  },
  {
    name: 'Elixir',
    files: ['mix.exs'],
    buildpack: 'https://github.com/HashNuke/heroku-buildpack-elixir.git',
  },
  { name: 'Rust', files: ['Cargo.toml'], buildpack: 'https://github.com/emk/heroku-buildpack-rust.git' },
  { name: 'Deno', files: ['deno.json', 'deno.jsonc', 'deno.lock'], buildpack: 'URL' },
  {
    name: 'Swift',
    files: ['Package.swift'],
    buildpack: 'https://github.com/vapor-community/heroku-buildpack.git',
  },
  { name: 'Haskell', files: ['stack.yaml', 'cabal.project', '*.cabal'], buildpack: 'URL' },
  { name: 'Crystal', files: ['shard.yml'], buildpack: 'URL' },
  { name: 'Dart', files: ['pubspec.yaml'], buildpack: 'URL' },
  { name: 'Meteor', files: ['.meteor'], buildpack: 'URL' },
];

/**
 * @param files of the top folder
 * @returns a sentence with what to do; undefined when there is none of these languages
 */
export function refuseUnsupported(files: ReadonlySet<string>): string | undefined {
  for (const { name, files: markers, buildpack } of UNSUPPORTED) {
    const found = markers
      .map((marker) =>
        marker.startsWith('*')
          ? [...files].find((file) => file.endsWith(marker.slice(1)))
          : files.has(marker)
            ? marker
            : undefined,
      )
      .find((file) => file !== undefined);
    if (found === undefined) continue;
    return `This is ${name} (${found}), which isn't built here: name a buildpack that builds it (tailrace buildpacks:set ${buildpack}), or, if what was built is in the source already, take it as it is (tailrace buildpacks:set tailrace/procfile).`;
  }
  return undefined;
}

/** What an app without any language is told. */
export function unknownAppSentence(files: ReadonlySet<string>): string {
  if (files.size === 0) return "There are no files: commit the app's, and push again.";
  if (files.has('pyproject.toml') || files.has('setup.py') || files.has('manage.py'))
    return 'This looks like Python, but says nowhere which packages it needs: add a requirements.txt, uv.lock, poetry.lock or Pipfile.lock, and commit it.';
  if (files.has('Dockerfile'))
    return 'There is a Dockerfile, and images aren\'t built here: add a Procfile ("web: ./server") and what its language needs, or name a buildpack (tailrace buildpacks:set URL).';
  const misspelled = [...files].find((name) => /^procfile(\.txt)?$/i.test(name));
  if (misspelled !== undefined)
    return `There is a ${misspelled}, but its name must be Procfile: git mv ${misspelled} Procfile, and commit.`;
  return 'No language is recognized, and there is no Procfile: add a Procfile ("web: node server.js"), a package.json, requirements.txt, Gemfile, go.mod or index.html to the top folder, and commit it; or name a buildpack (tailrace buildpacks:set URL).';
}
