import { createInterface } from 'node:readline/promises'
import { text } from 'node:stream/consumers'
import { isUuid } from '@latchkey/service-kit'
import { type AuthClientOptions, askAuth } from './auth-client.ts'
import { escapeControls } from './escape.ts'
import { printLine } from './print.ts'
import { formatTable } from './table.ts'

/** A user, as the auth service describes it. */
interface User {
  id: string
  email: string
  email_verified: boolean
  display_name: string | null
  locale: string | null
  scope: string
  roles: string[]
  disabled: boolean
  created_at: string
}

interface UserPage {
  users: User[]
  next: string | null
}

interface CreateOptions extends AuthClientOptions {
  email: string
  admin?: boolean
  roles?: string
  scope?: string
  passwordStdin?: boolean
}

export async function createUser(options: CreateOptions): Promise<void> {
  const { email, admin = false, roles = '', scope, passwordStdin = false } = options
  const named = roles.split(',').filter(Boolean)
  const body = {
    email,
    roles: [...new Set([...named, ...(admin ? ['admin'] : [])])],
    ...(scope !== undefined && { scope }),
    ...(passwordStdin && { password: (await text(process.stdin)).replace(/\r?\n$/, '') }),
  }
  const user = await askAuth<User>(options, { method: 'POST', path: 'admin/users', body })
  const next = passwordStdin ? '' : ' A mail with a code to set the password is on its way.'
  printLine(`Created ${describe(user)}.${next}`)
}

interface ListOptions extends AuthClientOptions {
  prefix: string
  limit: string
  after: string
}

export async function listUsers({ prefix, limit, after, ...options }: ListOptions): Promise<void> {
  const query = new URLSearchParams({ email_prefix: prefix, limit, after })
  const { users, next } = await askAuth<UserPage>(options, { path: `admin/users?${query}` })
  const cells = users.map(({ id, email, roles, disabled, created_at }) => [
    email,
    id,
    roles.join(',') || '-',
    disabled ? 'disabled' : 'enabled',
    created_at.slice(0, 10),
  ])
  printLine(formatTable(['E-MAIL', 'ID', 'ROLES', 'STATUS', 'CREATED'], cells))
  if (next !== null) printLine(`\nThere are more: --after ${escapeControls(next)}`)
}

export async function showUser(name: string, options: AuthClientOptions): Promise<void> {
  const user = await findUser(name, options)
  for (const [member, value] of Object.entries(user)) {
    const shown = Array.isArray(value) ? value.join(' ') : String(value ?? '')
    printLine(`${member.padEnd(14)}  ${escapeControls(shown) || '-'}`)
  }
}

/** `latchkey users disable` and `enable`. */
export const setDisabled =
  (disabled: boolean) => async (name: string, options: AuthClientOptions) => {
    const user = await changeUser(name, options, { disabled })
    printLine(`${disabled ? 'Disabled' : 'Enabled'} ${describe(user)}.`)
  }

export async function setRoles(
  name: string,
  roles: string[],
  options: AuthClientOptions,
): Promise<void> {
  const user = await changeUser(name, options, { roles: [...new Set(roles)] })
  printLine(`Roles of ${describe(user)}: ${user.roles.join(' ') || 'none'}.`)
}

export async function resetPassword(name: string, options: AuthClientOptions): Promise<void> {
  const user = await findUser(name, options)
  await askAuth(options, { method: 'POST', path: `admin/users/${user.id}/password-reset` })
  printLine(`A mail with a code to set a password is on its way to ${describe(user)}.`)
}

export async function endSessions(name: string, options: AuthClientOptions): Promise<void> {
  const user = await findUser(name, options)
  await askAuth(options, { method: 'DELETE', path: `admin/users/${user.id}/sessions` })
  printLine(`Ended all sessions of ${describe(user)}.`)
}

export async function deleteUser(
  name: string,
  { yes = false, ...options }: AuthClientOptions & { yes?: boolean },
): Promise<void> {
  const user = await findUser(name, options)
  if (!yes && !(await confirm(`Delete ${describe(user)}? This cannot be undone.`))) {
    throw new Error('nothing was deleted')
  }
  await askAuth(options, { method: 'DELETE', path: `admin/users/${user.id}` })
  printLine(`Deleted ${describe(user)}.`)
}

async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new Error('pass --yes to delete a user without a terminal')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim())
  } finally {
    terminal.close()
  }
}

async function changeUser(name: string, options: AuthClientOptions, body: object): Promise<User> {
  const { id } = await findUser(name, options)
  return askAuth<User>(options, { method: 'PATCH', path: `admin/users/${id}`, body })
}

/** Finds a user by ID, or by the whole e-mail address. */
async function findUser(name: string, options: AuthClientOptions): Promise<User> {
  if (isUuid(name)) return askAuth<User>(options, { path: `admin/users/${name}` })
  const query = new URLSearchParams({ email_prefix: name, limit: '1' })
  const { users } = await askAuth<UserPage>(options, { path: `admin/users?${query}` })
  const [user] = users
  // The first of those that begin with an address is that address.
  if (user?.email.toLowerCase() === name.toLowerCase()) return user
  throw new Error(`there is no user with the e-mail address ${escapeControls(name)}`)
}

const describe = ({ email, id }: User): string => `${escapeControls(email)} (${id})`
