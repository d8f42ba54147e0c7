import { readFile } from 'node:fs/promises'
import { parseKeySet } from '@latchkey/verify'
import { deriveClientSecret, rootMissing } from '../keys/jwk.ts'
import { type AuthClientOptions, askAuth } from './auth-client.ts'
import { escapeControls } from './escape.ts'
import { printLine } from './print.ts'
import { formatTable } from './table.ts'

/** A client, as the auth service describes it. */
interface Client {
  id: string
  kind: 'confidential' | 'public'
  redirect_uris: string[]
  post_logout_uris: string[]
  audiences: string[]
  scope: string
  disabled: boolean
  created_at: string
}

interface AddOptions extends AuthClientOptions {
  redirectUri: string[]
  postLogoutUri?: string[]
  audiences?: string
  scope: string
  public?: boolean
  /** False for `--no-secret`. */
  secret: boolean
}

export async function addClient(id: string, options: AddOptions): Promise<void> {
  const { redirectUri, postLogoutUri = [], audiences = id, scope, public: isPublic } = options
  const body = {
    kind: isPublic ? 'public' : 'confidential',
    redirect_uris: redirectUri,
    post_logout_uris: postLogoutUri,
    audiences: audiences.split(',').filter(Boolean),
    scope,
  }
  const client = await askAuth<Client>(options, { method: 'PUT', path: pathOf(id), body })
  printLine(`Registered the ${client.kind} client ${client.id}.`)
  if (client.kind === 'confidential' && options.secret) await printSecret(client.id, options)
}

export async function listClients(options: AuthClientOptions): Promise<void> {
  const { clients } = await askAuth<{ clients: Client[] }>(options, { path: 'admin/clients' })
  const cells = clients.map(({ id, kind, audiences, disabled, redirect_uris }) => [
    id,
    kind,
    disabled ? 'disabled' : 'enabled',
    audiences.join(','),
    redirect_uris.join(' '),
  ])
  printLine(formatTable(['ID', 'KIND', 'STATUS', 'AUDIENCES', 'REDIRECT URIS'], cells))
}

export async function showClient(
  id: string,
  { secret = false, ...options }: AuthClientOptions & { secret?: boolean },
): Promise<void> {
  const client = await askAuth<Client>(options, { path: pathOf(id) })
  for (const [member, value] of Object.entries(client)) {
    const shown = Array.isArray(value) ? value.join(' ') : String(value)
    printLine(`${member.padEnd(16)}  ${escapeControls(shown) || '-'}`)
  }
  if (secret && client.kind === 'confidential') await printSecret(client.id, options)
}

/** `latchkey clients disable` and `enable`. */
export const setClientDisabled =
  (disabled: boolean) => async (id: string, options: AuthClientOptions) => {
    const body = { disabled }
    const client = await askAuth<Client>(options, { method: 'PATCH', path: pathOf(id), body })
    printLine(`${disabled ? 'Disabled' : 'Enabled'} ${client.id}.`)
  }

const pathOf = (id: string) => `admin/clients/${encodeURIComponent(id)}`

/** The secret is in no file and no database: it is derived from the root key. */
async function printSecret(id: string, { keys }: AuthClientOptions): Promise<void> {
  const [root] = parseKeySet(await readFile(keys, 'utf8')).roots
  if (root === undefined) throw new Error(rootMissing)
  printLine(`client_secret     ${deriveClientSecret(root.secret, id)}`)
}
