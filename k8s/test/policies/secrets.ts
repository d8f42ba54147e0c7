import { containersOf, ofKind, podsOf } from '../objects.ts'
import type { Policy } from './policy.ts'

/** A credential in a URL, a key of a JWK, a private key: none has a place in a manifest. */
const secretLike = /:\/\/[^/\s:@]*:[^/\s@]+@|"k"\s*:|PRIVATE KEY/

/** Names that promise a secret; their `_FILE` variants only say where one lies. */
const secretName =
  /(PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE|CREDENTIAL|DATABASE_URL|API_KEY)(?!.*_(FILE|TTL_SECONDS)$)/

/** No secret is in a manifest, a ConfigMap or an environment: they are files, made outside git. */
export const secretsAreFiles: Policy = (objects) => [
  ...ofKind(objects, 'Secret').map(({ metadata }) => `Secret ${metadata?.name}: is in git`),
  ...ofKind(objects, 'ConfigMap').flatMap(({ metadata, data = {} }) =>
    Object.entries(data).flatMap(([name, value]) =>
      secretName.test(name) || secretLike.test(value)
        ? [`ConfigMap ${metadata?.name}: ${name}`]
        : [],
    ),
  ),
  ...containersOf(objects).flatMap(
    ({ where, container: { env = [], envFrom = [], args = [], command = [] } }) => [
      ...env.flatMap(({ name, value = '', valueFrom }) =>
        secretName.test(name) || secretLike.test(value) || valueFrom?.secretKeyRef
          ? [`${where}: ${name} is in the environment`]
          : [],
      ),
      ...envFrom.flatMap(({ secretRef }) =>
        secretRef ? [`${where}: ${secretRef.name} is in the environment`] : [],
      ),
      ...[...command, ...args].flatMap((word) =>
        secretLike.test(word) ? [`${where}: in a command`] : [],
      ),
    ],
  ),
]

/** Secrets are mounted whole, as folders: by `subPath` a changed one would never reach the pod. */
export const secretsFollow: Policy = (objects) =>
  containersOf(objects).flatMap(({ where, container, pods }) => {
    const { env = [], volumeMounts = [] } = container
    const files = env.filter(
      ({ name, value }) => /_FILE$/.test(name) && value?.startsWith('/run/secrets/'),
    )
    return [
      ...volumeMounts.flatMap(({ name, subPath }) =>
        subPath === undefined ? [] : [`${where}: ${name} is mounted by subPath`],
      ),
      ...files.flatMap(({ value = '' }) => {
        const mount = volumeMounts.find(({ mountPath }) => value.startsWith(`${mountPath}/`))
        const volume = pods.spec.volumes?.find((one) => one.name === mount?.name)
        const file = value.slice((mount?.mountPath.length ?? 0) + 1)
        const there = volume?.secret?.items?.some(({ path }) => path === file) ?? volume?.secret
        return there ? [] : [`${where}: nothing is mounted at ${value}`]
      }),
      ...(pods.spec.volumes ?? []).flatMap(({ name, secret }) =>
        secret && ((secret.defaultMode ?? 0o644) & 0o007) !== 0
          ? [`${where}: all may read ${name}`]
          : [],
      ),
    ]
  })

/** The key of refresh tokens is auth's alone, and each service's database URL its own. */
export const secretsAreOwn: Policy = (objects) =>
  podsOf(objects).flatMap(({ kind, name, labels, spec }) => {
    const service = labels['app.kubernetes.io/name'] ?? labels['database-of'] ?? ''
    const keys = service === 'auth' ? 'latchkey-keys' : 'latchkey-verifying-keys'
    const own = kind === 'Deployment' ? [keys] : []
    const databases = [`${service}-database`, `${service}-database-app`]
    return (spec.volumes ?? []).flatMap(({ secret }) =>
      !secret || [...own, ...databases].includes(secret.secretName ?? '')
        ? []
        : [`${kind} ${name}: holds ${secret.secretName}`],
    )
  })
