/**
 * Kubernetes (1.29 and later): a Deployment for each process type, a Secret, a Service for web. Each pod has a sidecar that
 * ships what the app writes to a pipe they share.
 */
import { containerCommand, type ExportResult, type ExportSpec, runnableProcesses } from './export-spec.ts';
import { toYaml, type YamlValue } from './yaml.ts';

const CONTAINER_PORT = 5000;
const LOG_PIPE = '/logs/out';

/** The last part of the pod's name: `web.x2x4z` */
const DYNO_EXPRESSION = `"$PROCESS_TYPE.\${POD_NAME##*-}"`;

/** Starts before the app does. Reading and writing, so that the end of one app is not the end of the pipe. */
const SIDECAR_COMMAND = [
  `mkfifo -m 666 ${LOG_PIPE} 2>/dev/null`,
  `exec $TAILRACE ship --tee --block --dyno ${DYNO_EXPRESSION} -- sh -c 'exec cat 0<>${LOG_PIPE}'`,
].join('; ');

export function exportKubernetes(spec: ExportSpec): ExportResult {
  const { app, config, token, url } = spec;
  const types = runnableProcesses(spec);
  const documents: YamlValue[] = [
    kubernetesObject('v1', 'Secret', `${app}-config`, app, { stringData: config }),
    kubernetesObject('v1', 'Secret', `${app}-logs`, app, {
      stringData: { TAILRACE_URL: url, TAILRACE_TOKEN: token },
    }),
    ...types.map((process) => deployment(spec, process)),
  ];
  if (types.some(({ type }) => type === 'web'))
    documents.push(
      kubernetesObject('v1', 'Service', app, app, {
        spec: {
          selector: { app, process: 'web' },
          ports: [{ name: 'http', port: 80, targetPort: CONTAINER_PORT }],
        },
      }),
    );
  const loopback = /\/\/(127\.|localhost|\[::1\])/.test(url);
  return {
    files: [{ name: `${app}.yaml`, text: documents.map(toYaml).join('---\n'), isSecret: true }],
    nextSteps: [
      ...(loopback
        ? [`pods can't reach ${url}: let the server listen elsewhere (TAILRACE_HOST), and name it with --url`]
        : []),
      `push the images ${spec.image} and ${spec.shipperImage} (deploy/Dockerfile) to where the cluster finds them; then:`,
      `kubectl apply -f ${app}.yaml`,
    ],
  };
}

function kubernetesObject(
  apiVersion: string,
  kind: string,
  name: string,
  app: string,
  rest: Record<string, YamlValue>,
): YamlValue {
  return { apiVersion, kind, metadata: { name, labels: { app } }, ...rest };
}

function deployment(
  spec: ExportSpec,
  { type, command, quantity }: ExportSpec['processes'][number],
): YamlValue {
  const { app, image, shipperImage, program } = spec;
  const process = type.toLowerCase().replaceAll('_', '-');
  const labels = { app, process };
  const podName = { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } };
  const volumeMounts = [{ name: 'logs', mountPath: '/logs' }];
  const isWeb = type === 'web';
  return kubernetesObject('apps/v1', 'Deployment', `${app}-${process}`, app, {
    spec: {
      replicas: quantity,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 30,
          initContainers: [
            {
              name: 'logs',
              image: shipperImage,
              // A sidecar: it is there before the app, and ends after it.
              restartPolicy: 'Always',
              command: ['/bin/sh', '-c', SIDECAR_COMMAND],
              env: [podName, { name: 'PROCESS_TYPE', value: type }, { name: 'TAILRACE', value: program }],
              envFrom: [{ secretRef: { name: `${app}-logs` } }],
              startupProbe: { exec: { command: ['test', '-p', LOG_PIPE] }, periodSeconds: 1 },
              volumeMounts,
              resources: { requests: { cpu: '20m', memory: '64Mi' } },
            },
          ],
          containers: [
            {
              name: process,
              image,
              command: containerCommand(command, `export DYNO=${DYNO_EXPRESSION}; exec >${LOG_PIPE} 2>&1; `),
              env: [
                podName,
                { name: 'PROCESS_TYPE', value: type },
                { name: 'PYTHONUNBUFFERED', value: '1' },
                ...(isWeb ? [{ name: 'PORT', value: String(CONTAINER_PORT) }] : []),
              ],
              envFrom: [{ secretRef: { name: `${app}-config` } }],
              ...(isWeb
                ? {
                    ports: [{ containerPort: CONTAINER_PORT }],
                    readinessProbe: { tcpSocket: { port: CONTAINER_PORT } },
                  }
                : {}),
              volumeMounts,
            },
          ],
          volumes: [{ name: 'logs', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }],
        },
      },
    },
  });
}
