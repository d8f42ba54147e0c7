import { containersOf, type Json, list, ofKind, podsOf } from '../objects.ts'
import { faults, type Policy } from './policy.ts'

/** A credential in a URL, a key of a JWK, or a private key. */
const value = /:\/\/[^/\s:@]*:[^/\s@]+@|"k"\s*:|PRIVATE KEY/

/** A setting that is a secret. The variant with `_FILE` is public. */
const name =
  /(PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE|CREDENTIAL|DATABASE_URL|API_KEY)(?!.*_(FILE|TTL_SECONDS)$)/

/** No manifest, ConfigMap or environment contains a secret: secrets are files, created outside git. */
export const secretsAreFiles: Policy = (objects) => [
  ...ofKind(objects, 'Secret').map(({ metadata }) => `Secret ${metadata.name}: is in git`),
  ...ofKind(objects, 'ConfigMap').flatMap(({ data }) =>
    Object.keys(data ?? {})
      .filter((key) => name.test(key) || value.test(data[key]))
      .map((key) => `ConfigMap: contains ${key}`),
  ),
  ...containersOf(objects).flatMap(({ where, container: { env, envFrom, args, command } }) =>
    faults(where, {
      'has a secret in the environment':
        list(env).some((one) => name.test(one.name) || value.test(one.value)) ||
        [...list(env), ...list(envFrom)].some(
          (one) => one.secretRef ?? one.valueFrom?.secretKeyRef,
        ),
      'has a secret in a command': [...list(command), ...list(args)].some((one) => value.test(one)),
    }),
  ),
]

/** Secrets are mounted as folders: with `subPath`, a changed Secret would never reach the pod. */
export const secretsFollow: Policy = (objects) =>
  containersOf(objects).flatMap(({ where, pod, container: { env, volumeMounts } }) => {
    const secretOf = (mount: { name: string }) =>
      list(pod.volumes).find((one) => one.name === mount.name)?.secret
    const mounted = list(volumeMounts).flatMap((mount) => {
      const items = secretOf(mount) ? (secretOf(mount).items ?? [{ path: 'keys.json' }]) : []
      return items.map(({ path }: { path: string }) => `${mount.mountPath}/${path}`)
    })
    const files = list(env)
      .filter((one) => /_FILE$/.test(one.name) && one.value?.startsWith('/run/secrets/'))
      .map((one) => one.value)
    const isOpen = ({ secret }: Json) => secret && ((secret.defaultMode ?? 0o644) & 0o007) !== 0
    return faults(where, {
      'mounts a file by subPath': list(volumeMounts).some(({ subPath }) => subPath !== undefined),
      'has nothing mounted where a setting looks': !files.every((file) => mounted.includes(file)),
      'has a world-readable secret': list(pod.volumes).some(isOpen),
    })
  })

/** Only auth has the key of refresh tokens, and only a service has the URL of its database. */
export const secretsAreOwn: Policy = (objects) =>
  podsOf(objects).flatMap(({ kind, where, labels, pod }) => {
    const service = labels['app.kubernetes.io/name'] ?? labels['database-of']
    const keys = service === 'auth' ? 'latchkey-keys' : 'latchkey-verifying-keys'
    const own = [`${service}-database`, `${service}-database-app`, kind === 'Deployment' && keys]
    return list(pod.volumes)
      .filter(({ secret }) => secret && !own.includes(secret.secretName))
      .map(({ secret }) => `${where}: has ${secret.secretName}`)
  })
