import { setTimeout as sleep } from 'node:timers/promises'
import type { Service } from '@latchkey/service-kit'
import { addClient } from '../oauth-support.ts'
import { as, assertAs, claimsOf, password, post, type Tokens } from '../support.ts'
import type { Plan } from './draft.ts'
import { mailCode } from './mailed-codes.ts'

/** A user with a session. */
export interface Person {
  readonly email: string
  readonly userId: string
  readonly sessionId: string
  readonly tokens: Tokens
}

/** The users of one request, and the values of its placeholders. */
export interface Cast {
  readonly sender: Person
  readonly values: Readonly<Record<string, string>>
  /** Lets other requests use the same users, unless this one may have changed them. */
  release(isUnchanged: boolean): void
}

const placeholder = /~(\w+)~/g

/** Replaces the placeholders of a text. */
export const fill = (text: string, values: Cast['values']): string =>
  text.replace(placeholder, (whole, name) => values[name] ?? whole)

/** Creates the users that generated requests are about, as many as are needed. */
export async function createPeople(app: Service) {
  const idle = { user: [] as Person[], admin: [] as Person[] }
  let people = 0
  let networks = 0

  /** Creates a user. On a busy machine a statement may wait too long: then it tries another one. */
  async function create(kind: 'user' | 'admin', tries = 5): Promise<Person> {
    const email = `person-${++people}@example.com`
    const account = { email, password, roles: kind === 'admin' ? ['admin'] : [] }
    const operator = await assertAs(app, 'operator')
    const created = await as(app, operator, 'POST', '/v1/admin/users', account)
    const loggedIn = await post(app, '/v1/login', { email, password })
    if (loggedIn.statusCode !== 200) {
      if (tries === 1) throw new Error(`no user: ${created.body} ${loggedIn.body}`)
      await sleep(500)
      return create(kind, tries - 1)
    }
    const tokens = loggedIn.json<Tokens>()
    const { sub, sid } = claimsOf(tokens.access_token)
    return { email, userId: sub, sessionId: sid, tokens }
  }
  const take = async (kind: 'user' | 'admin') => idle[kind].pop() ?? (await create(kind))
  // Never the subject of a request, so that no other admin is the last one.
  await create('admin')
  const clientId = 'orders'
  await addClient(app, clientId)

  return {
    /** Finds users for a request, which nobody else uses until they are released. */
    async cast({ operation, target, headers, body = '' }: Plan): Promise<Cast> {
      const text = [target, ...headers, body].join('\n')
      const kind = text.includes('~admin~') ? 'admin' : 'user'
      const sender = await take(kind)
      const subject = text.includes('~user_id~') ? await take('user') : undefined
      const { email, sessionId, tokens } = sender
      networks += 1
      const mailed = text.includes('~code~') && (await mailCode(app, operation, sender))
      return {
        sender,
        values: {
          email,
          password,
          ...mailed,
          session_id: sessionId,
          client_id: clientId,
          user_id: subject?.userId ?? '',
          refresh_token: tokens.refresh_token,
          user: tokens.access_token,
          admin: tokens.access_token,
          ...(text.includes('~operator~') && { operator: await assertAs(app, 'operator') }),
          ...(text.includes('~service~') && { service: await assertAs(app, 'orders') }),
          // Not one that counts against the limits of another request.
          network: `10.${networks >> 16}.${(networks >> 8) & 255}.${networks & 255}`,
        },
        release(isUnchanged) {
          if (!isUnchanged) return
          idle[kind].push(sender)
          if (subject) idle.user.push(subject)
        },
      }
    },
  }
}
