/**
 * Kubernetes (1.29 and later): a Deployment for each process type, a Secret, a Service for web. Each pod has a sidecar that
 * ships what the app writes to a pipe they share.
 */
import { asLast, type Export, type Plan, running } from './plan.ts';
import { type Yaml, yaml } from './yaml.ts';

const PORT = 5000;
const PIPE = '/logs/out';

/** The last part of the pod's name: `web.x2x4z` */
const DYNO = `"$PROCESS_TYPE.\${POD_NAME##*-}"`;

/** Starts before the app does. Reading and writing, so that the end of one app is not the end of the pipe. */
const SIDECAR = [
  `mkfifo -m 666 ${PIPE} 2>/dev/null`,
  `exec $TAILRACE ship --tee --block --dyno ${DYNO} -- sh -c 'exec cat 0<>${PIPE}'`,
].join('; ');

export function kubernetes(plan: Plan): Export {
  const { app, config, token, url } = plan;
  const types = running(plan);
  const documents: Yaml[] = [
    object('v1', 'Secret', `${app}-config`, app, { stringData: config }),
    object('v1', 'Secret', `${app}-logs`, app, { stringData: { TAILRACE_URL: url, TAILRACE_TOKEN: token } }),
    ...types.map((process) => deployment(plan, process)),
  ];
  if (types.some(({ type }) => type === 'web'))
    documents.push(
      object('v1', 'Service', app, app, {
        spec: {
          selector: { app, process: 'web' },
          ports: [{ name: 'http', port: 80, targetPort: PORT }],
        },
      }),
    );
  const loopback = /\/\/(127\.|localhost|\[::1\])/.test(url);
  return {
    files: [{ name: `${app}.yaml`, text: documents.map(yaml).join('---\n'), isSecret: true }],
    next: [
      ...(loopback
        ? [`pods can't reach ${url}: let the server listen elsewhere (TAILRACE_HOST), and name it with --url`]
        : []),
      `push the images ${plan.image} and ${plan.shipperImage} (deploy/Dockerfile) to where the cluster finds them; then:`,
      `kubectl apply -f ${app}.yaml`,
    ],
  };
}

function object(
  apiVersion: string,
  kind: string,
  name: string,
  app: string,
  rest: Record<string, Yaml>,
): Yaml {
  return { apiVersion, kind, metadata: { name, labels: { app } }, ...rest };
}

function deployment(plan: Plan, { type, command, quantity }: Plan['processes'][number]): Yaml {
  const { app, image, shipperImage, program } = plan;
  const process = type.toLowerCase().replaceAll('_', '-');
  const labels = { app, process };
  const podName = { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } };
  const volumeMounts = [{ name: 'logs', mountPath: '/logs' }];
  const isWeb = type === 'web';
  return object('apps/v1', 'Deployment', `${app}-${process}`, app, {
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
              command: ['/bin/sh', '-c', SIDECAR],
              env: [podName, { name: 'PROCESS_TYPE', value: type }, { name: 'TAILRACE', value: program }],
              envFrom: [{ secretRef: { name: `${app}-logs` } }],
              startupProbe: { exec: { command: ['test', '-p', PIPE] }, periodSeconds: 1 },
              volumeMounts,
              resources: { requests: { cpu: '20m', memory: '64Mi' } },
            },
          ],
          containers: [
            {
              name: process,
              image,
              command: ['/bin/sh', '-c', `export DYNO=${DYNO}; exec >${PIPE} 2>&1; ${asLast(command)}`],
              env: [
                podName,
                { name: 'PROCESS_TYPE', value: type },
                { name: 'PYTHONUNBUFFERED', value: '1' },
                ...(isWeb ? [{ name: 'PORT', value: String(PORT) }] : []),
              ],
              envFrom: [{ secretRef: { name: `${app}-config` } }],
              ...(isWeb
                ? { ports: [{ containerPort: PORT }], readinessProbe: { tcpSocket: { port: PORT } } }
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
