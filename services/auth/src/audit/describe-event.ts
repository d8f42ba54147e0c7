import type { FastifyRequest } from 'fastify'
import { findClient } from '../client.ts'
import type { NewEvent } from './store.ts'

/** The longest `User-Agent` that is stored. */
const maxClientLength = 200

/**
 * The event of a request: its action is the `operationId` of the route.
 *
 * @param event what the request does not tell. The actor is the owner of the token or of the browser's
 *   session; without one that the route requires, it is `anonymous`.
 */
export function describeEvent(
  request: FastifyRequest,
  event: Pick<NewEvent, 'result' | 'detail'> & Partial<Pick<NewEvent, 'actor'>> = {},
): NewEvent {
  const { id, network, headers, routeOptions } = request
  const { operationId } = (routeOptions.schema ?? {}) as { operationId?: string }
  return {
    action: operationId ?? '',
    ...describeActor(request),
    client: headers['user-agent']?.slice(0, maxClientLength),
    network,
    request_id: id,
    ...event,
  }
}

function describeActor({
  user,
  browserUser,
  routeOptions,
}: FastifyRequest): Pick<NewEvent, 'actor' | 'actor_id'> {
  if (browserUser) return { actor: 'user' }
  if (!user) return { actor: 'anonymous' }
  if (findClient(user) !== undefined) return { actor: 'operator' }
  const { roles } = routeOptions.config
  return roles?.includes('admin') ? { actor: 'admin', actor_id: user.sub } : { actor: 'user' }
}
