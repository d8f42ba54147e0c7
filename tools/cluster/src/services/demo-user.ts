import { send } from '@latchkey/test-kit/client'
import { ClusterError } from '../errors/cluster-error.ts'

/** A user to try the API with. */
export interface DemoUser {
  readonly email: string
  readonly password: string
}

const email = 'demo@example.com'

/** Registers the demo user through the API, unless it exists. */
export async function registerDemoUser(edgeUrl: string, password: string): Promise<DemoUser> {
  const user = { email, password }
  const request = { method: 'POST', body: user }
  const { status, reply } = await send(`${edgeUrl}/auth/v1/register`, request)
  if (status === 201 || status === 409) return user
  const detail = JSON.stringify(reply) ?? ''
  throw new ClusterError(`The demo user could not be registered: ${status} ${detail}`)
}
