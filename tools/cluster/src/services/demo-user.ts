import { send } from '@latchkey/test-kit/client'
import { ClusterError } from '../errors/cluster-error.ts'
import { runAsOperator } from './operator.ts'
import type { SharedSettings } from './service-program.ts'

/** A user to try the API with. */
export interface DemoUser {
  readonly email: string
  readonly password: string
}

const email = 'demo@example.com'

/** Creates the demo user, unless it exists: as anybody does, or as an operator does. */
export async function createDemoUser(shared: SharedSettings, password: string): Promise<DemoUser> {
  const user = { email, password }
  const problem = await (shared.registration === 'open' ? register : create)(shared, user)
  if (problem === undefined) return user
  throw new ClusterError(`The demo user could not be created: ${problem}`)
}

/** @returns what went wrong */
type Outcome = Promise<string | undefined>

async function register({ edgeUrl }: SharedSettings, user: DemoUser): Outcome {
  const { status, reply } = await send(`${edgeUrl}/auth/v1/register`, { body: user })
  return status === 201 || status === 409 ? undefined : `${status} ${JSON.stringify(reply) ?? ''}`
}

async function create(shared: SharedSettings, { email, password }: DemoUser): Outcome {
  const args = ['users', 'create', '--email', email, '--password-stdin']
  const problem = await runAsOperator(shared, args, password)
  return problem?.includes('email_taken') ? undefined : problem
}
