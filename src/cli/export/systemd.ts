/** systemd: a unit for each dyno, and a target that holds them together. Lines go through `tailrace ship`. */
import { type ExportResult, type ExportSpec, runnableProcesses, withExec } from './export-spec.ts';

/** Ports of process types are a hundred apart, as foreman's. */
const PORTS_PER_TYPE = 100;
const ENVIRONMENT_FOLDER = '/etc/tailrace';

/** What a dyno's shell does first, as on the server: what buildpacks left, and the app's own profile. */
const PROFILE_SCRIPT =
  'for f in .profile.d/*.sh; do [ -r "$f" ] && . "./$f"; done; unset f; [ -r .profile ] && . ./.profile; ';

export function exportSystemd(spec: ExportSpec): ExportResult {
  const { app, basePort, folder, user } = spec;
  const target = `${app}.target`;
  const dynos = runnableProcesses(spec).flatMap(({ type, command, quantity }, index) =>
    Array.from({ length: quantity }, (_, i) => ({
      unit: `${app}-${type}-${i + 1}.service`,
      dyno: `${type}.${i + 1}`,
      command,
      port: basePort + index * PORTS_PER_TYPE + i,
    })),
  );
  const units = dynos.map(({ unit, dyno, command, port }) => ({
    name: unit,
    text: serviceUnit(spec, dyno, command, port),
  }));
  const all = {
    name: target,
    text: `[Unit]
Description=${escapePercents(app)}, all dynos
Wants=${dynos.map(({ unit }) => unit).join(' ')}

[Install]
WantedBy=multi-user.target
`,
  };
  const env = { name: `${app}.env`, text: environmentFile(spec), isSecret: true };
  return {
    files: [all, ...units, env],
    nextSteps: [
      `put the app's files into ${folder}, for the user ${user}, and tailrace at ${spec.program}; then, as root, in this folder:`,
      `install -D -m 600 ${app}.env ${ENVIRONMENT_FOLDER}/${app}.env`,
      `install -m 644 ${target} ${app}-*.service /etc/systemd/system/`,
      `systemctl daemon-reload && systemctl enable --now ${target}`,
    ],
  };
}

function serviceUnit(
  { app, program, folder, user }: ExportSpec,
  dyno: string,
  command: string,
  port: number,
): string {
  const words = [
    program,
    'ship',
    '--block',
    '--dyno',
    dyno,
    '--',
    '/bin/bash',
    '-c',
    PROFILE_SCRIPT + withExec(command),
  ];
  return `[Unit]
Description=${escapePercents(app)} ${dyno}
PartOf=${app}.target
After=network-online.target
Wants=network-online.target

[Service]
# Its lines go to the server, and only there: see TAILRACE_URL and TAILRACE_TOKEN in the file below.
ExecStart=${words.map(quoteArgument).join(' ')}
EnvironmentFile=${ENVIRONMENT_FOLDER}/${app}.env
Environment=PORT=${port} DYNO=${dyno} PS=${dyno} PYTHONUNBUFFERED=1
WorkingDirectory=${escapePercents(folder)}
User=${escapePercents(user)}
Restart=always
RestartSec=1
# 30 s for the dyno, and some more for its last lines.
TimeoutStopSec=45
NoNewPrivileges=yes

[Install]
WantedBy=${app}.target
`;
}

/** EnvironmentFile=: values in double quotes, with C-style escapes (systemd.exec(5)). */
function environmentFile({ config, token, url }: ExportSpec): string {
  const all = { ...config, TAILRACE_URL: url, TAILRACE_TOKEN: token };
  return Object.entries(all)
    .map(([name, value]) => `${name}="${value.replace(/[\\"$`]/g, (character) => `\\${character}`)}"\n`)
    .join('');
}

/** A word of ExecStart=: quotes as in C, `$` and `%` doubled (systemd.service(5)). */
function quoteArgument(word: string): string {
  const text = escapePercents(word).replaceAll('$', '$$$$');
  if (/^[\w./:=@$%+-]+$/.test(text)) return text;
  return `"${text.replace(/[\\"]/g, (character) => `\\${character}`).replaceAll('\n', '\\n')}"`;
}

function escapePercents(text: string): string {
  return text.replaceAll('%', '%%');
}
