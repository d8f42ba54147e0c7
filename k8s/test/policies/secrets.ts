import { containersOf, type Json, list, namesOf, ofKind, podsOf } from '../objects.ts'
import { all, every, mismatches, none, type Policy } from './policy.ts'

/** A credential in a URL, a key of a JWK, or a private key. */
const secretValue = /:\/\/[^/\s:@]*:[^/\s@]+@|"k"\s*:|PRIVATE KEY/

/** A setting that is a secret. The variant with `_FILE` is public. */
const secretName =
  /(PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE|CREDENTIAL|DATABASE_URL|SMTP_URL|API_KEY)(?!.*_(FILE|TTL_SECONDS)$)/

const isText = (text: string) => secretValue.test(text)
const isVariable = ({ name, value, valueFrom, secretRef }: Json) =>
  secretName.test(name) || secretValue.test(value) || valueFrom?.secretKeyRef || secretRef
const isEntry = ([name, value]: [string, string]) => isVariable({ name, value })

/** No manifest, ConfigMap or environment contains a secret: they are files, made outside git. */
export const secretsAreFiles = all(
  (objects) => namesOf(objects, 'Secret').map((name) => `Secret ${name}: is in git`),
  (objects) =>
    ofKind(objects, 'ConfigMap').flatMap((map) =>
      mismatches('ConfigMap', map, { data: (data: object) => none(isEntry)(Object.entries(data)) }),
    ),
  every({ container: { env: none(isVariable), envFrom: none(isVariable) } }),
  every({ container: { args: none(isText), command: none(isText) } }),
)

/** The files of settings are in mounted Secrets. */
const secretsAreMounted: Policy = (objects) =>
  containersOf(objects).flatMap(({ where, pod, container: { env, volumeMounts } }) => {
    const mounted = list(volumeMounts).flatMap(({ name, mountPath }) => {
      const { secret } = list(pod.volumes).find((one) => one.name === name) ?? {}
      const items = secret ? (secret.items ?? [{ path: 'keys.json' }]) : []
      return items.map((item: { path: string }) => `${mountPath}/${item.path}`)
    })
    return list(env)
      .filter(({ name, value }) => /_FILE$/.test(name) && /^\/run\/secrets\//.test(value))
      .filter(({ value }) => !mounted.includes(value))
      .map(({ value }) => `${where} nothing is mounted at ${value}`)
  })

const isWorldReadable = ({ secret }: Json) =>
  secret && ((secret.defaultMode ?? 0o644) & 0o007) !== 0

/** Secrets are mounted as folders: with `subPath`, a changed Secret would never reach the pod. */
export const secretsFollow = all(
  secretsAreMounted,
  every({ container: { volumeMounts: none(({ subPath }) => subPath !== undefined) } }),
  every({ pod: { volumes: none(isWorldReadable) } }),
)

/** Each service has its own key file and the URL of its own database; auth alone sends mail. */
export const secretsAreOwn: Policy = (objects) =>
  podsOf(objects).flatMap(({ kind, where, labels, pod }) => {
    const service = labels['app.kubernetes.io/name'] ?? labels['database-of']
    const keys = service === 'auth' ? 'latchkey-keys' : `${service}-keys`
    const ofServer = kind === 'Deployment' ? [keys, service === 'auth' && 'auth-smtp'] : []
    const own = [`${service}-database`, `${service}-database-app`, ...ofServer]
    return list(pod.volumes)
      .filter(({ secret }) => secret && !own.includes(secret.secretName))
      .map(({ secret }) => `${where}: has ${secret.secretName}`)
  })
