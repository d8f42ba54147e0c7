import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem, ProblemError } from '@latchkey/service-kit'
import { type Static, Type } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { isServiceName } from '../keys/jwk.ts'
import {
  findOAuthClient,
  listOAuthClients,
  type OAuthClient,
  putOAuthClient,
  setOAuthClientDisabled,
} from '../oauth/clients-store.ts'
import { findRedirectUriMistake } from '../oauth/redirect-uri.ts'
import { Scope } from './schemas.ts'

const config = { roles: ['admin'] }

const ClientId = Type.Object({
  id: Type.String({
    pattern: '^[\\w.-]{1,64}$',
    description: 'a client ID of up to 64 letters, digits, dots, hyphens and underscores',
    examples: ['orders'],
  }),
})

const urisLike = (example: string, minItems = 0) =>
  Type.Array(Type.String({ format: 'uri', maxLength: 500 }), {
    minItems,
    maxItems: 20,
    uniqueItems: true,
    examples: [[example]],
  })

const ClientDescription = Type.Object(
  {
    kind: Type.Union([Type.Literal('confidential'), Type.Literal('public')], {
      description:
        '`confidential`: has a secret, on a server. `public`: an app in a browser or on a device, ' +
        'which can have none.',
    }),
    redirect_uris: urisLike('https://orders.example.com/auth/callback', 1),
    post_logout_uris: Type.Optional(urisLike('https://orders.example.com/')),
    audiences: Type.Array(Type.String({ pattern: '^[\\w.:/@-]{1,200}$' }), {
      minItems: 1,
      maxItems: 50,
      uniqueItems: true,
      description: 'The services that accept its tokens.',
    }),
    scope: Scope,
  },
  { additionalProperties: false },
)

const ClientReply = Type.Object(
  {
    id: Type.String({ examples: ['orders'] }),
    ...ClientDescription.properties,
    post_logout_uris: urisLike('https://orders.example.com/'),
    disabled: Type.Boolean(),
    created_at: Type.String({ format: 'date-time' }),
  },
  { title: 'Client' },
)

const formatClient = (client: OAuthClient): Static<typeof ClientReply> => ({
  id: client.id,
  kind: client.kind,
  redirect_uris: client.redirectUris,
  post_logout_uris: client.postLogoutUris,
  audiences: client.audiences,
  scope: client.scope,
  disabled: client.disabled,
  created_at: client.createdAt.toISOString(),
})

/** Lets admins and the operator register the apps that people sign in to. */
export const clientsRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { db } = app

  app.get(
    '/admin/clients',
    {
      config,
      schema: {
        tags: ['admin'],
        operationId: 'listClients',
        summary: 'List the apps that people can sign in to',
        response: { 200: Type.Object({ clients: Type.Array(ClientReply) }) },
      },
    },
    async () => ({ clients: (await listOAuthClients(db)).map(formatClient) }),
  )

  app.get(
    '/admin/clients/:id',
    {
      config,
      schema: {
        tags: ['admin'],
        operationId: 'getClient',
        summary: 'Read a client',
        params: ClientId,
        response: { 200: ClientReply, 404: Problem },
      },
    },
    async ({ params }) => formatClient((await findOAuthClient(db, params.id)) ?? clientNotFound()),
  )

  app.put(
    '/admin/clients/:id',
    {
      config,
      schema: {
        tags: ['admin'],
        operationId: 'putClient',
        summary: 'Add a client, or replace what it may do; its secret does not change',
        params: ClientId,
        body: ClientDescription,
        response: { 200: ClientReply },
      },
    },
    async (request) => {
      const { params, body } = request
      refuseMistakes(params.id, body)
      const { kind, audiences, scope, redirect_uris, post_logout_uris = [] } = body
      const uris = { redirectUris: redirect_uris, postLogoutUris: post_logout_uris }
      const event = describeEvent(request, { detail: { client: params.id, ...body } })
      const client = { id: params.id, kind, audiences, scope, ...uris }
      return formatClient(await app.durably(() => putOAuthClient(db, client, event)))
    },
  )

  app.patch(
    '/admin/clients/:id',
    {
      config,
      schema: {
        tags: ['admin'],
        operationId: 'changeClient',
        summary: 'Disable or enable a client; its access tokens stay valid until they expire',
        params: ClientId,
        body: Type.Object({ disabled: Type.Boolean() }, { additionalProperties: false }),
        response: { 200: ClientReply, 404: Problem },
      },
    },
    async (request) => {
      const change = { id: request.params.id, disabled: request.body.disabled }
      const event = describeEvent(request, { detail: { client: change.id, ...request.body } })
      const client = await app.durably(() => setOAuthClientDisabled(db, change, event))
      return formatClient(client ?? clientNotFound())
    },
  )
}

function refuseMistakes(
  id: string,
  { kind, redirect_uris, post_logout_uris = [] }: Static<typeof ClientDescription>,
): void {
  const errors = isServiceName(id)
    ? []
    : [{ path: '/params/id', message: 'must be a name that services may have' }]
  for (const [member, uris] of Object.entries({ redirect_uris, post_logout_uris })) {
    for (const [index, uri] of uris.entries()) {
      const message = findRedirectUriMistake(uri, kind)
      if (message) errors.push({ path: `/body/${member}/${index}`, message })
    }
  }
  if (errors.length === 0) return
  throw new ProblemError(400, 'invalid_request', 'The request is not valid.', {}, errors)
}

function clientNotFound(): never {
  throw new ProblemError(404, 'client_not_found', 'There is no client with this ID.')
}
